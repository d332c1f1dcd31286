//! Every request of a test held against the description of the API.

use crate::sandbox::SandboxHandle;
use crate::twilio::test_spec::{Asked, Spec};

/// Checks all that the sandbox was asked.
pub(super) fn check(sandbox: &SandboxHandle) {
    let Some(spec) = Spec::found() else { return };
    let requests = sandbox.twilio().requests();
    assert!(!requests.is_empty());
    for request in &requests {
        let asked = Asked {
            method: &request.method,
            path: &request.path,
            query: &request.query,
            content_type: &request.content_type,
            body: &request.body,
        };
        spec.check(&asked).unwrap();
    }
}
