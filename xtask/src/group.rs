//! Three MySQL servers in containers of their own, as one replication group with a single primary.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::mysql;

const MEMBERS: usize = 3;
/// How long the members may take to answer, and then to join.
const UP_WITHIN: Duration = Duration::from_secs(120);
/// Any UUID names a group; this one is nobody else's.
const GROUP_NAME: &str = "6f1c0f4e-5d1b-4a57-9a53-3e1d1c0a7b20";
/// What every member is started with, besides its own name and number.
const FLAGS: [&str; 22] = [
    "--log-bin=binlog",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--log-replica-updates=ON",
    "--sql-require-primary-key=ON",
    "--disabled-storage-engines=MyISAM,BLACKHOLE,FEDERATED,ARCHIVE,MEMORY",
    "--plugin-load-add=group_replication.so",
    "--group-replication-start-on-boot=OFF",
    "--group-replication-bootstrap-group=OFF",
    "--group-replication-single-primary-mode=ON",
    "--group-replication-paxos-single-leader=ON",
    "--group-replication-consistency=BEFORE_ON_PRIMARY_FAILOVER",
    "--group-replication-recovery-get-public-key=ON",
    "--group-replication-recovery-reconnect-interval=2",
    // A member that is silent is expelled at once: five seconds more are the default.
    "--group-replication-member-expel-timeout=0",
    "--group-replication-exit-state-action=READ_ONLY",
    "--group-replication-autorejoin-tries=3",
    "--group-replication-message-cache-size=134217728",
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=64M",
    "--max-connections=100",
    "--mysqlx=OFF",
];
/// What makes a new server a member that others may copy themselves from.
const PREPARE: &str = "SET SQL_LOG_BIN=0; \
     CREATE USER IF NOT EXISTS member@'%' IDENTIFIED BY 'member'; \
     GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN ON *.* TO member@'%'; \
     SET SQL_LOG_BIN=1; \
     CHANGE REPLICATION SOURCE TO SOURCE_USER='member', SOURCE_PASSWORD='member' \
     FOR CHANNEL 'group_replication_recovery'; \
     RESET BINARY LOGS AND GTIDS";

/// The group; it and its network are removed when this is dropped.
pub(crate) struct Group {
    network: String,
    members: Vec<String>,
    /// Their addresses stay theirs across restarts.
    addresses: Vec<String>,
    database: &'static str,
}

impl Group {
    /// Starts the members and waits until all are online, with an empty database of this name.
    pub(crate) fn start(database: &'static str) -> anyhow::Result<Self> {
        let own = std::process::id();
        let network = format!("payment-server-{database}-{own}");
        let group = Self {
            members: (1..=MEMBERS)
                .map(|number| format!("{network}-{number}"))
                .collect(),
            addresses: subnet(&network, own)?,
            network,
            database,
        };
        for number in 0..MEMBERS {
            group.run_member(number)?;
        }
        for member in &group.members {
            group.answers(member)?;
            mysql_in(member, PREPARE)?;
        }
        let first = &group.members[0];
        mysql_in(
            first,
            "SET GLOBAL group_replication_bootstrap_group=ON; START GROUP_REPLICATION; \
             SET GLOBAL group_replication_bootstrap_group=OFF",
        )?;
        mysql_in(first, &format!("CREATE DATABASE {database}"))?;
        for member in &group.members[1..] {
            mysql_in(member, "START GROUP_REPLICATION")?;
        }
        group.is_online()?;
        Ok(group)
    }

    pub(crate) fn members(&self) -> &[String] {
        &self.members
    }

    /// Names every member.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self
            .addresses
            .iter()
            .map(|at| format!("{at}:3306"))
            .collect();
        format!("mysql://root@{}/{}", hosts.join(","), self.database)
    }

    fn run_member(&self, number: usize) -> anyhow::Result<()> {
        let (name, address) = (&self.members[number], &self.addresses[number]);
        let seeds: Vec<_> = self
            .members
            .iter()
            .map(|at| format!("{at}:33061"))
            .collect();
        docker(
            Command::new("docker")
                .args(["run", "--detach", "--name", name, "--hostname", name])
                .args(["--network", &self.network, "--ip", address])
                .args(["--env", "MYSQL_ALLOW_EMPTY_PASSWORD=1", &mysql::image()])
                .args(FLAGS)
                .arg(format!("--server-id={}", number + 1))
                .arg(format!("--report-host={name}"))
                .arg(format!("--group-replication-group-name={GROUP_NAME}"))
                .arg(format!("--group-replication-local-address={name}:33061"))
                .arg(format!(
                    "--group-replication-group-seeds={}",
                    seeds.join(",")
                )),
        )?;
        Ok(())
    }

    fn answers(&self, member: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        // By the network: a new server answers on its socket while it is still being set up.
        let me = self.members.iter().position(|name| name == member);
        let address = &self.addresses[me.unwrap_or_default()];
        while began.elapsed() < UP_WITHIN {
            let mut ask = Command::new("docker");
            ask.args([
                "exec", member, "mysql", "-uroot", "-h", address, "-e", "SELECT 1",
            ]);
            if ask.output()?.status.success() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        bail!("{member} did not come up")
    }

    fn is_online(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        let count = "SELECT COUNT(*) FROM performance_schema.replication_group_members \
                     WHERE member_state = 'ONLINE'";
        while began.elapsed() < UP_WITHIN {
            if mysql_in(&self.members[0], count)?.trim() == MEMBERS.to_string() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        bail!("the members did not all join")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let silent = |arguments: &mut Command| {
            drop(
                arguments
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status(),
            );
        };
        let mut remove = Command::new("docker");
        silent(
            remove
                .args(["rm", "--force", "--volumes"])
                .args(&self.members),
        );
        silent(Command::new("docker").args(["network", "rm", &self.network]));
    }
}

/// Makes the network, with the first of a few private ranges that nobody uses; returns the members'
/// addresses in it.
fn subnet(network: &str, seed: u32) -> anyhow::Result<Vec<String>> {
    let mut refused = None;
    for step in 0..8 {
        let third = (seed + step * 37) % 256;
        let range = format!("10.213.{third}.0/24");
        let mut create = Command::new("docker");
        create.args(["network", "create", "--subnet", &range, network]);
        match docker(&mut create) {
            Ok(_) => {
                let members = 1..=MEMBERS;
                return Ok(members
                    .map(|number| format!("10.213.{third}.{}", 10 + number))
                    .collect());
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.context("no network was tried")?)
}

fn mysql_in(member: &str, statements: &str) -> anyhow::Result<String> {
    docker(Command::new("docker").args(["exec", member, "mysql", "-uroot", "-NBe", statements]))
}

fn docker(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().context("there is no docker")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "docker failed: {}",
        said.lines().last().unwrap_or_default()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
