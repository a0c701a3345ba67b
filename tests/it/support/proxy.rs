//! Real reverse proxies, in front of a real Home Assistant.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::scratch;

/// A proxy that runs until it is dropped.
pub struct Proxy {
    process: Child,
    _folder: TempDir,
}

impl Proxy {
    /// Starts Caddy, and waits until it listens on this port.
    pub fn caddy(program: &str, caddyfile: &str, files: &[(&str, String)], port: u16) -> Self {
        // No port for its admin API, and no try to get certificates.
        let config = format!("{{\n admin off\n auto_https off\n persist_config off\n}}\n{caddyfile}");
        let folder = folder("Caddyfile", &config, files);
        let mut command = Command::new(program);
        command.args(["run", "--config", "Caddyfile"]).env("HOME", folder.path());
        Self::start(command, folder, port)
    }

    /// Starts nginx with these servers, and waits until it listens on this port.
    #[cfg(feature = "nginx")]
    pub fn nginx(servers: &str, files: &[(&str, String)], port: u16) -> Self {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path t;"));
        let config = format!(
            "daemon off; pid pid; error_log stderr; events {{}}\nhttp {{ access_log off; {} {servers} }}",
            temporary.concat()
        );
        let folder = folder("nginx.conf", &config, files);
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        Self::start(command, folder, port)
    }

    fn start(mut command: Command, folder: TempDir, port: u16) -> Self {
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = process.try_wait().expect("its state is known").is_some();
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
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

fn folder(name: &str, config: &str, files: &[(&str, String)]) -> TempDir {
    let folder = scratch();
    let write = |name: &str, text: &str| fs::write(Path::new(folder.path()).join(name), text).expect("a file");
    write(name, config);
    for (name, text) in files {
        write(name, text);
    }
    folder
}
