//! Operators and passwords.

use clap::Args;

use super::{advised, line, password};
use crate::app::App;

/// Make the user who sees all tenants, the queue and the workers.
#[derive(Debug, Args)]
pub struct CreateOperatorArgs {
    /// Their e-mail address, with which they sign in
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// Read the password, hard to guess and at least 10 characters, from the first line of standard
    /// input
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Give a user a new password. Their sessions end; a second factor stays on unless you say otherwise.
#[derive(Debug, Args)]
pub struct ResetPasswordArgs {
    /// The e-mail address with which they sign in
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// Read the new password, hard to guess and at least 10 characters, from the first line of
    /// standard input
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Turn the second factor off too, for somebody who lost phone and recovery codes
    #[arg(long)]
    pub without_second_factor: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn create_operator(app: &App, args: CreateOperatorArgs) -> anyhow::Result<String> {
    let user = app
        .create_operator(&args.email, password()?)
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({ "user_id": user, "email": args.email }))
    } else {
        format!("{} can sign in and see every tenant.\n", args.email)
    })
}

pub(super) async fn reset_password(app: &App, args: ResetPasswordArgs) -> anyhow::Result<String> {
    app.reset_by_operator(&args.email, password()?, args.without_second_factor)
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({
            "email": args.email, "second_factor_removed": args.without_second_factor,
        }))
    } else {
        format!(
            "{} signs in with the new password. All their sessions have ended.\n",
            args.email
        )
    })
}
