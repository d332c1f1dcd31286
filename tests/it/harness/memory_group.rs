//! A memory cgroup for one process of a test: the kernel ends what wants more.

use std::fs;
use std::path::{Path, PathBuf};

/// A group that is removed with this; whatever ran in it must have ended by then.
pub(crate) struct MemoryGroup {
    folder: PathBuf,
    is_v2: bool,
}

impl MemoryGroup {
    /// A group of at most so many bytes, without swap. None where this user may make none.
    pub(crate) fn make(bytes: u64) -> Option<Self> {
        let name = format!("ml-connector-tests-{}", std::process::id());
        let found = parents_v1().into_iter().map(|folder| (folder, false));
        let found = found.chain(parents_v2().into_iter().map(|folder| (folder, true)));
        let groups = found.map(|(parent, is_v2)| Self {
            folder: parent.join(&name),
            is_v2,
        });
        groups
            .filter(|group| fs::create_dir(&group.folder).is_ok())
            .find(|group| group.limit(bytes))
    }

    fn limit(&self, bytes: u64) -> bool {
        let (most, swap, no_swap) = if self.is_v2 {
            ("memory.max", "memory.swap.max", 0)
        } else {
            (
                "memory.limit_in_bytes",
                "memory.memsw.limit_in_bytes",
                bytes,
            )
        };
        // A kernel without accounts of swap has no such file.
        let limited = fs::write(self.folder.join(most), bytes.to_string()).is_ok();
        limited && {
            drop(fs::write(self.folder.join(swap), no_swap.to_string()));
            true
        }
    }

    /// Where a process writes its number to be in the group.
    pub(crate) fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// How often the kernel has ended a member.
    pub(crate) fn kills(&self) -> u64 {
        let file = if self.is_v2 {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.expect("a count of kills").trim().parse().unwrap()
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The kernel takes a moment to see that a killed member has ended.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() || !self.folder.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Where the hierarchies of a type are mounted, such as have `option`.
fn mounts(kind: &str, option: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|l| l.split(' ').collect::<Vec<_>>());
    fields
        .filter(|f| f.len() > 3 && f[2] == kind)
        .filter(|f| option.is_empty() || f[3].split(',').any(|o| o == option))
        .map(|f| PathBuf::from(f[1]))
        .collect()
}

/// This process's own group in the hierarchy of a controller; the empty one is version 2.
fn own(controller: &str) -> String {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let found = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let is_it = fields.next()?.split(',').any(|c| c == controller);
        is_it.then(|| fields.next())?.map(str::to_owned)
    });
    found.unwrap_or_else(|| "/".to_owned())
}

/// A group and those above it, up to where the hierarchy is mounted.
fn upwards(mount: &Path, own: &str) -> Vec<PathBuf> {
    let below = mount.join(own.trim_start_matches('/'));
    let above = below.ancestors().take_while(|a| a.starts_with(mount));
    above.map(Path::to_owned).collect()
}

fn parents_v1() -> Vec<PathBuf> {
    let mounts = mounts("cgroup", "memory").into_iter();
    mounts.flat_map(|m| upwards(&m, &own("memory"))).collect()
}

/// Groups that let those below them have limits on memory, or can be told to.
fn parents_v2() -> Vec<PathBuf> {
    let mounts = mounts("cgroup2", "").into_iter();
    let groups = mounts.flat_map(|m| upwards(&m, &own("")));
    groups
        .filter(|group| {
            let control = group.join("cgroup.subtree_control");
            let has = |text: String| text.split_whitespace().any(|c| c == "memory");
            fs::read_to_string(&control).is_ok_and(has) || fs::write(&control, "+memory").is_ok()
        })
        .collect()
}
