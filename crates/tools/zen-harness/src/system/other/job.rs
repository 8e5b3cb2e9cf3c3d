//! With a job, Windows ends a process and everything that it has started.
#![expect(unsafe_code, reason = "std cannot put a process into a job")]

use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;
use std::ptr;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};

/// The job of a process. When the handle is closed, because this is dropped or
/// our process ends, Windows ends everything in the job.
#[derive(Debug)]
pub(crate) struct Group {
    #[expect(dead_code, reason = "to close it is what it is for")]
    job: OwnedHandle,
}

impl Group {
    /// None if Windows does not create one.
    pub(crate) fn of(child: &Child) -> Option<Self> {
        Some(Self { job: around(child).ok()? })
    }
}

/// Puts a process into a new job.
fn around(child: &Child) -> io::Result<OwnedHandle> {
    let checked = |done| match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    };
    // SAFETY: both pointers may be null.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    checked(i32::from(!job.is_null()))?;
    // SAFETY: it is an open handle, and no other code closes it.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    // SAFETY: all zeros is a job without limits.
    let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION =
        unsafe { mem::zeroed() };
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    // SAFETY: the handle is open, and the pointer and the size are those of
    // the struct that this class of information takes.
    checked(unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of_val(&limits) as u32,
        )
    })?;
    // SAFETY: both handles are open.
    checked(unsafe {
        AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle())
    })?;
    Ok(job)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::process::Command;
    use std::thread;
    use std::time::Duration;

    use crate::process::{Process, wait_for};

    const PATIENCE: Duration = Duration::from_secs(15);
    const DEPTH: &str = "ZEN_TEST_DEPTH";

    /// Runs this test again, as another process.
    fn again(depth: &str) -> Command {
        let name = thread::current().name().unwrap().to_owned();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([&name, "--exact", "--nocapture"]).env(DEPTH, depth);
        command
    }

    #[test]
    fn descendants_end_with_their_process() {
        match env::var(DEPTH).as_deref() {
            Ok("grandchild") => {
                let listener =
                    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                println!("\nport {}", listener.local_addr().unwrap().port());
                thread::spawn(move || listener.incoming().for_each(drop));
                thread::sleep(4 * PATIENCE);
            }
            Ok(_) => _ = again("grandchild").status(),
            Err(_) => {
                let mut child = Process::start(&mut again("child")).unwrap();
                let port = |lines: &[String], _: &[u8]| {
                    lines.iter().find_map(|it| {
                        it.strip_prefix("port ")?.parse::<u16>().ok()
                    })
                };
                let port =
                    child.output.wait_for_text("port", PATIENCE, port).unwrap();
                let is_there =
                    || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
                assert!(is_there());
                child.kill();
                let gone = || Ok::<_, ()>((!is_there()).then_some(()));
                assert_eq!(wait_for(PATIENCE, gone), Ok(Some(())));
            }
        }
    }
}
