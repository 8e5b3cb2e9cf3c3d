//! Runs the server and the load on different cores, so that neither takes
//! processor time from the other.

use std::io;

use zen_harness::server::Server;

#[derive(Clone, Debug)]
pub struct Cores {
    /// All but the last.
    pub server: Vec<usize>,
    /// The last that this process may use.
    pub load: Vec<usize>,
}

impl Cores {
    /// Starts a server on its cores, if they are separate, and moves the
    /// calling thread back to those of the load.
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
    /// None if there is only one core.
    pub fn separate() -> Option<Self> {
        use rustix::thread::{CpuSet, sched_getaffinity};
        let allowed = sched_getaffinity(None).ok()?;
        let mut server: Vec<_> =
            (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
        let load = server.pop()?;
        (!server.is_empty()).then(|| Self { server, load: vec![load] })
    }

    /// Pins the calling thread, and every thread it will start, to these cores.
    pub fn take(cores: &[usize]) {
        use rustix::thread::{CpuSet, sched_setaffinity};
        let mut set = CpuSet::new();
        cores.iter().for_each(|&core| set.set(core));
        // If this fails, the results are only noisier.
        sched_setaffinity(None, &set).ok();
    }
}

#[cfg(not(target_os = "linux"))]
impl Cores {
    /// None: this system cannot pin a thread.
    pub fn separate() -> Option<Self> {
        None
    }

    pub fn take(_: &[usize]) {}
}
