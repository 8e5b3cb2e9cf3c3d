//! The server on some cores and the load on another, so that neither takes
//! from the other what is measured.

use std::io;

use zen_harness::server::Server;

/// Which cores are whose.
#[derive(Clone, Debug)]
pub struct Cores {
    /// All but one.
    pub server: Vec<usize>,
    /// The last that we may use.
    pub load: Vec<usize>,
}

impl Cores {
    /// Starts a server on its cores, if there are some, and returns to those
    /// of the load.
    pub fn start(cores: Option<&Self>, words: &[String]) -> io::Result<Server> {
        if let Some(cores) = cores {
            Self::take(&cores.server);
        }
        let server = Server::run(words);
        if let Some(cores) = cores {
            Self::take(&cores.load);
        }
        server
    }
}

#[cfg(target_os = "linux")]
impl Cores {
    /// None if there is one core only.
    pub fn separate() -> Option<Self> {
        use rustix::thread::{CpuSet, sched_getaffinity};
        let allowed = sched_getaffinity(None).ok()?;
        let mut server: Vec<_> =
            (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
        let load = server.pop()?;
        (!server.is_empty()).then(|| Self { server, load: vec![load] })
    }

    /// Puts the calling thread, and all that it will start, on these cores.
    pub fn take(cores: &[usize]) {
        use rustix::thread::{CpuSet, sched_setaffinity};
        let mut set = CpuSet::new();
        cores.iter().for_each(|&core| set.set(core));
        // They were ours a moment ago. If they no longer are, the noise tells.
        sched_setaffinity(None, &set).ok();
    }
}

#[cfg(not(target_os = "linux"))]
impl Cores {
    /// None: this system has no such call.
    pub fn separate() -> Option<Self> {
        None
    }

    /// Does nothing here.
    pub fn take(_: &[usize]) {}
}
