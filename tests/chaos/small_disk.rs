//! A file system of a few megabytes that can be filled and freed: a tmpfs, which answers "no space
//! left on device" as a disk does.
//!
//! It is mounted in a mount namespace of its own, which one small process keeps: whoever has to see
//! it is started inside. So it never stays behind, also when we are killed. Where we may not mount,
//! the namespace comes with a user namespace in which we may. The suite uses this file as well.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How `unshare` and `nsenter` are asked, in this order.
const WAYS: [Way; 2] = [
    // As root.
    Way {
        unshare: &["--mount"],
        nsenter: &["--mount"],
        is_user: false,
    },
    // As anybody else, and as a root who may not mount.
    Way {
        unshare: &["--map-root-user", "--mount"],
        nsenter: &["--user", "--preserve-credentials", "--mount"],
        is_user: true,
    },
];

#[derive(Debug, Clone, Copy)]
struct Way {
    unshare: &'static [&'static str],
    nsenter: &'static [&'static str],
    is_user: bool,
}

/// Unmounted when dropped, with all that is on it.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    path: PathBuf,
    way: Way,
    /// Holds the namespace until its standard input ends.
    holder: Child,
}

impl SmallDisk {
    /// Mounts one of that size over an empty folder, made if need be.
    pub(crate) fn mount(path: &Path, size_mb: u64) -> Result<Self> {
        std::fs::create_dir_all(path)?;
        let mut refusals = Vec::new();
        for way in WAYS {
            match hold(way, path, size_mb) {
                Ok(holder) => {
                    return Ok(Self {
                        path: path.to_owned(),
                        way,
                        holder,
                    });
                }
                Err(error) => refusals.push(format!("unshare {}: {error}", way.unshare.join(" "))),
            }
        }
        let refusals = refusals.join("; ");
        Err(Error::other(format!(
            "no small file system could be mounted ({refusals}). Run this as root, or allow \
             unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1 (Debian), \
             kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
        )))
    }

    /// Where it is, for those inside.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The words before a program and its arguments that start it inside.
    pub(crate) fn enter(&self) -> Vec<OsString> {
        let id = self.holder.id().to_string();
        let mut words = vec!["nsenter".into(), "--target".into(), id.into()];
        words.extend(self.way.nsenter.iter().map(Into::into));
        words.push("--".into());
        words
    }

    /// The same for a program that refuses to be root, in a namespace where it would be.
    pub(crate) fn enter_as_user(&self) -> Vec<OsString> {
        let mut words = self.enter();
        if self.way.is_user {
            let user = [
                "unshare",
                "--user",
                "--map-user=1000",
                "--map-group=1000",
                "--",
            ];
            words.extend(user.map(Into::into));
        }
        words
    }

    /// Where what is on it can be read from here.
    pub(crate) fn outer_path(&self, inside: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// Takes every byte that is left.
    pub(crate) fn fill(&self) -> Result<()> {
        // Ends with an error, as it should.
        let ballast = self.ballast();
        self.shell(&format!("! cat /dev/zero > {ballast} 2>/dev/null"))
    }

    /// Gives them back.
    pub(crate) fn free(&self) -> Result<()> {
        self.shell(&format!("rm -f {}", self.ballast()))
    }

    /// Gives it to a user.
    pub(crate) fn give_to(&self, user: &str) -> Result<()> {
        self.shell(&format!("chown {user} '{}'", self.path.display()))
    }

    fn ballast(&self) -> String {
        format!("'{}'", self.path.join("ballast").display())
    }

    fn shell(&self, line: &str) -> Result<()> {
        let mut words = self.enter().into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        let output = command.args(words).args(["sh", "-c", line]).output()?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(Error::other(format!("{line}: {} {told}", output.status)));
        }
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // With the holder, and whoever is still inside, the namespace and its mounts go.
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// Starts the process that keeps the namespace, once the file system is mounted in it.
fn hold(way: Way, path: &Path, size_mb: u64) -> Result<Child> {
    // Readable for the user who runs PostgreSQL.
    let script =
        "mount -t tmpfs -o size=\"$1\"m,mode=0755 tmpfs \"$2\" && echo mounted && exec cat";
    let mut child = Command::new("unshare")
        .args(way.unshare)
        .args(["--", "sh", "-c", script, "sh", &size_mb.to_string()])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut said)?;
    }
    if said.trim() == "mounted" {
        return Ok(child);
    }
    drop(child.kill());
    let told = child.wait_with_output()?.stderr;
    Err(Error::other(
        String::from_utf8_lossy(&told).trim().to_owned(),
    ))
}
