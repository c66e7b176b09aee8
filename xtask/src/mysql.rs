//! A MySQL server in a container of its own, for the commands that kill, fill or measure one.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long MySQL may take to come up for the first time.
const UP_WITHIN: Duration = Duration::from_secs(120);
/// How long a container's own address may take to answer.
const DIRECT_WITHIN: Duration = Duration::from_secs(1);
/// The image without `TEST_MYSQL_IMAGE`.
const IMAGE: &str = "mysql:8.4";

/// The image in `TEST_MYSQL_IMAGE`, or mysql:8.4.
pub(crate) fn image() -> String {
    let image = std::env::var("TEST_MYSQL_IMAGE").ok();
    let image = image.filter(|image| !image.is_empty());
    image.unwrap_or_else(|| IMAGE.to_owned())
}

/// A container with a MySQL whose root needs no password; removed when this is dropped.
pub(crate) struct Container {
    pub(crate) name: String,
    /// On loopback, and the same after every restart.
    pub(crate) port: u16,
    database: &'static str,
}

impl Container {
    /// Starts it (the image in `TEST_MYSQL_IMAGE`, or mysql:8.4) with an empty database of this
    /// name. MySQL takes a while from here to its first answer.
    pub(crate) fn start(database: &'static str) -> anyhow::Result<Self> {
        let image = image();
        let container = Self {
            name: format!("payment-server-{database}-{}", std::process::id()),
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            database,
        };
        let output = Command::new("docker")
            .args(["run", "--detach", "--name", &container.name])
            .args(["--publish", &format!("127.0.0.1:{}:3306", container.port)])
            // On a disk, and not on the layers of the image, which some machines keep in a slow way.
            .args(["--volume", "/var/lib/mysql"])
            .args(["--env", "MYSQL_ALLOW_EMPTY_PASSWORD=1"])
            .args(["--env", &format!("MYSQL_DATABASE={database}"), &image])
            .output()
            .context("there is no docker")?;
        if output.status.success() {
            return Ok(container);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or_default();
        bail!("the container of {image} did not start: {said}")
    }

    pub(crate) fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/{}", self.port, self.database)
    }

    /// Past Docker's port on loopback, behind which a program copies every byte, if this machine can
    /// reach containers by their address; else [`Container::url`]. Another one after a restart.
    pub(crate) fn direct_url(&self) -> String {
        let form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let mut inspect = Command::new("docker");
        let output = inspect
            .args(["inspect", "--format", form, &self.name])
            .output();
        let address = output.ok().and_then(|output| {
            let address = String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse()
                .ok()?;
            let address = SocketAddr::new(address, 3306);
            TcpStream::connect_timeout(&address, DIRECT_WITHIN).ok()?;
            Some(address)
        });
        match address {
            Some(address) => format!("mysql://root@{address}/{}", self.database),
            None => self.url(),
        }
    }

    /// Brings the schema up to date, with the server program in this folder, as soon as MySQL
    /// answers.
    pub(crate) fn migrate(&self, folder: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + UP_WITHIN;
        loop {
            let mut migrate = Command::new(folder.join("api-server"));
            migrate.args(["migrate", "--database-url", &self.url()]);
            let output = migrate.stdin(Stdio::null()).output()?;
            if output.status.success() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "MySQL did not come up: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let remove = Command::new("docker")
            .args(["rm", "--force", "--volumes", &self.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        drop(remove);
    }
}
