//! Real reverse proxies in front of a real Home Assistant.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::scratch;

/// A proxy, ended on drop.
pub struct Proxy {
    process: Child,
    _folder: TempDir,
}

impl Proxy {
    /// Starts a program in a folder with these files, and waits until it listens on this port.
    pub fn start(program: &str, arguments: &[&str], files: &[(&str, String)], port: u16) -> Self {
        let folder = scratch();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let log = folder.path().join("log");
        let mut process = Command::new(program)
            .args(arguments)
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a file"))
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {program}: {error}"));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = process.try_wait().expect("its state is known").is_some();
            let log = fs::read_to_string(&log).unwrap_or_default();
            assert!(!ended && start.elapsed() < Duration::from_secs(20), "the proxy does not listen:\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
        Self { process, _folder: folder }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Not SIGKILL, which would leave the workers of nginx behind.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
