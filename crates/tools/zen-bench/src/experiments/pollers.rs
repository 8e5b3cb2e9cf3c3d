//! select(), poll() and epoll, measured without a server around them.

use anyhow::Result;

use crate::lab::Lab;
use crate::results::Charts;

#[cfg(not(target_os = "linux"))]
pub(super) fn make(lab: &mut Lab, _: &mut Charts) -> Result<()> {
    lab.leave_out("epoll is Linux's");
    Ok(())
}

#[cfg(target_os = "linux")]
pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let rounds = lab.pick([20, 1000, 10_000]);
    for run in 0..lab.runs() {
        for sockets in [1, 10, 100, 1000, 10_000] {
            lab.tell(run, &format!("{sockets} sockets"));
            for name in linux::CALLS {
                match linux::price(name, sockets, rounds)? {
                    Some(time) => {
                        charts.record("price", name, sockets as f64, time * 1e6)
                    }
                    None => lab.leave_out(&format!(
                        "{name} with {sockets} sockets: a set of its has \
                         room for {} descriptors",
                        nix::sys::select::FD_SETSIZE
                    )),
                }
            }
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Write;
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use anyhow::{Result, bail, ensure};
    use nix::poll::{PollFd, PollFlags, PollTimeout};
    use nix::sys::select::{FD_SETSIZE, FdSet};
    use rustix::event::epoll;
    use zen_harness::proc::own_turns;

    pub(super) const CALLS: [&str; 3] = ["select()", "poll()", "epoll"];

    /// Sockets, one of which has something to read.
    struct Watched {
        /// Sockets to which nothing was ever sent.
        silent: Vec<UnixDatagram>,
        speaker: UnixStream,
        listener: UnixStream,
    }

    /// Seconds for one event; None if the call cannot watch this many sockets.
    pub(super) fn price(
        name: &str,
        sockets: usize,
        rounds: usize,
    ) -> Result<Option<f64>> {
        let (speaker, listener) = UnixStream::pair()?;
        let silent = (1..sockets).map(|_| UnixDatagram::unbound());
        let silent: std::io::Result<_> = silent.collect();
        let watched = Watched { silent: silent?, speaker, listener };
        let highest = watched.silent.iter().map(AsRawFd::as_raw_fd).max();
        let highest = highest.max(Some(watched.listener.as_raw_fd()));
        match name {
            "select()" if highest >= Some(FD_SETSIZE.try_into()?) => Ok(None),
            "select()" => watched.by_select(rounds).map(Some),
            "poll()" => watched.by_poll(rounds).map(Some),
            "epoll" => watched.by_epoll(rounds).map(Some),
            _ => bail!("no such call"),
        }
    }

    impl Watched {
        /// Processor time of one wait. The byte is there and is never received,
        /// so every wait finds the same.
        fn time(
            &self,
            rounds: usize,
            mut wait: impl FnMut() -> Result<()>,
        ) -> Result<f64> {
            (&self.speaker).write_all(b"x")?;
            wait()?;
            let before = own_turns();
            for _ in 0..rounds {
                wait()?;
            }
            let cpu = own_turns().since(before).cpu;
            Ok(cpu.as_secs_f64() / rounds as f64)
        }

        fn by_select(&self, rounds: usize) -> Result<f64> {
            let mut all = FdSet::new();
            self.silent.iter().for_each(|sock| all.insert(sock.as_fd()));
            all.insert(self.listener.as_fd());
            self.time(rounds, || {
                let mut ready = all;
                nix::sys::select::select(None, &mut ready, None, None, None)?;
                ensure!(ready.contains(self.listener.as_fd()), "not that one");
                Ok(())
            })
        }

        fn by_poll(&self, rounds: usize) -> Result<f64> {
            let entry = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let silent = self.silent.iter().map(|sock| entry(sock.as_fd()));
            let mut all: Vec<_> = silent.collect();
            all.push(entry(self.listener.as_fd()));
            self.time(rounds, || {
                let ready = nix::poll::poll(&mut all, PollTimeout::NONE)?;
                ensure!(ready == 1, "{ready} are ready");
                // A server has to do this too: find out which socket it is.
                let which = all.iter().position(|it| it.any() == Some(true));
                ensure!(which == Some(all.len() - 1), "not that one");
                Ok(())
            })
        }

        fn by_epoll(&self, rounds: usize) -> Result<f64> {
            let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            let add = |fd: std::os::fd::BorrowedFd, data: usize| {
                let data = epoll::EventData::new_u64(data as u64);
                epoll::add(&poller, fd, data, epoll::EventFlags::IN)
            };
            for (data, sock) in self.silent.iter().enumerate() {
                add(sock.as_fd(), data)?;
            }
            add(self.listener.as_fd(), usize::MAX)?;
            let mut events = Vec::with_capacity(64);
            self.time(rounds, || {
                events.clear();
                let room = rustix::buffer::spare_capacity(&mut events);
                epoll::wait(&poller, room, None)?;
                let which = events.first().map(|it| it.data.u64());
                ensure!(which == Some(usize::MAX as u64), "not that one");
                Ok(())
            })
        }
    }
}
