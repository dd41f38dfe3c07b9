//! How long a file takes to the other side, beside `scp` over the same link: from the command to its end, so connecting, keys and
//! hashes are in it. Random bytes, so that nothing can be packed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rand::{RngCore, SeedableRng, rngs::StdRng};

use crate::{
    link::{ADDRESSES, Link, Shape},
    run::median,
    support::{
        machine::{Home, Host},
        process::Process,
        rs::{Start, binary},
    },
};

const SENDER: usize = 0;
const RECEIVER: usize = 1;
const SSH_PORT: &str = "2222";

/// A link, and how much is sent over it.
struct Case {
    name: &'static str,
    shape: Shape,
    megabytes: usize,
}

pub(crate) fn run(rounds: u32) -> anyhow::Result<()> {
    let shaped = |rate: u64, milliseconds, loss| Shape {
        delay: Duration::from_millis(milliseconds) / 2,
        rate: Some(rate * 1_000_000),
        // One bandwidth-delay product of 100 ms.
        queue: usize::try_from(rate * 1_000_000 / 8 / 10).unwrap_or(usize::MAX),
        loss,
    };
    let cases = [
        Case { name: "no delay, no limit", shape: Shape::default(), megabytes: 200 },
        Case { name: "100 Mbit/s, 40 ms", shape: shaped(100, 40, 0.0), megabytes: 50 },
        Case { name: "20 Mbit/s, 40 ms, 1 % loss", shape: shaped(20, 40, 0.01), megabytes: 10 },
        Case { name: "2 Mbit/s, 80 ms", shape: shaped(2, 80, 0.0), megabytes: 2 },
    ];
    println!(
        "\nMB/s of one file, from the command to its end:\n\n| link | file | rs, QUIC | rs, TCP | scp | QUIC : scp |\n|---|---|---|---|---|---|"
    );
    for case in cases {
        let scene = Scene::new(&case)?;
        let mut speeds = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            for (system, speeds) in ["quic-v1", "tcp", "scp"].iter().zip(&mut speeds) {
                speeds.push(scene.send(system, case.megabytes)?);
            }
        }
        let [quic, tcp, scp] = speeds.map(|speeds| median(speeds.into_iter()));
        println!("| {} | {} MB | {quic:.2} | {tcp:.2} | {scp:.2} | {:.2} |", case.name, case.megabytes, quic / scp);
    }
    Ok(())
}

/// A host and an SSH server at one end of a link, and a file at the other.
struct Scene {
    _sshd: Process,
    home: Home,
    file: PathBuf,
    link: Link,
}

impl Scene {
    fn new(case: &Case) -> anyhow::Result<Self> {
        let link = Link::new(case.shape, 1)?;
        let home = Home::new();
        let file = home.file("file.bin");
        let mut bytes = vec![0; case.megabytes * 1_000_000];
        StdRng::seed_from_u64(1).fill_bytes(&mut bytes);
        fs::write(&file, bytes)?;
        let sshd = sshd(&link, &home)?;
        Ok(Self { _sshd: sshd, home, file, link })
    }

    /// Sends the file, and says how many MB a second that was.
    fn send(&self, system: &str, megabytes: usize) -> anyhow::Result<f64> {
        let received = tempfile::tempdir()?;
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        let speed = |begun: Instant| megabytes as f64 / begun.elapsed().as_secs_f64();
        if system == "scp" {
            let target = format!("root@{}:{}", ADDRESSES[RECEIVER], received.path().join("file.bin").display());
            let mut scp = self.link.command(SENDER, Path::new("scp"));
            scp.args(["-q", "-P", SSH_PORT, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"]);
            scp.arg(self.home.file("key")).arg(&self.file).arg(target).stderr(Stdio::null());
            let begun = Instant::now();
            ensure!(scp.status().context("scp is missing: install openssh-client")?.success(), "scp failed");
            return Ok(speed(begun));
        }
        let home = Home::new();
        let ip = ADDRESSES[RECEIVER];
        let listen = format!("--listen /ip4/{ip}/udp/4001/quic-v1 --listen /ip4/{ip}/tcp/4001");
        let line =
            format!("host --json --yes --no-lan --capture pattern --panel none {listen} --files {}", received.path().display());
        let started = start(&self.link, RECEIVER, &home, &line);
        let host = Host::started(home, started);
        let mut copy = self.link.command(SENDER, &binary());
        copy.args(["cp", "--no-lan", "--json"]).arg(&self.file).arg(format!("{}:", host.direct(system)));
        let own = Home::new();
        copy.env("RS_HOME", own.path()).env("RS_PASSWORD", &host.password).stdout(Stdio::null());
        let begun = Instant::now();
        ensure!(copy.status()?.success(), "rs cp failed");
        let speed = speed(begun);
        ensure!(fs::read(received.path().join("file.bin"))? == fs::read(&self.file)?, "the file is another one");
        Ok(speed)
    }
}

fn start(link: &Link, end: usize, home: &Home, line: &str) -> Start {
    let binary = binary();
    let mut arguments = vec!["netns", "exec", link.names()[end], binary.to_str().expect("a plain path")];
    arguments.extend(line.split_whitespace());
    Start::program(home.path(), "ip", &arguments)
}

/// An SSH server that takes the key in `home`.
fn sshd(link: &Link, home: &Home) -> anyhow::Result<Process> {
    for key in ["key", "host_key"] {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.file(key)).status();
        ensure!(made.context("ssh-keygen is missing: install openssh-client")?.success(), "no key was made");
    }
    fs::create_dir_all("/run/sshd")?;
    let config = format!(
        "Port {SSH_PORT}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nPidFile none\nUsePAM no\nPermitRootLogin yes\n\
         Subsystem sftp internal-sftp\n",
        home.file("host_key").display(),
        home.file("key.pub").display(),
    );
    fs::write(home.file("sshd_config"), config)?;
    let mut command = link.command(RECEIVER, Path::new("/usr/sbin/sshd"));
    command.args(["-D", "-f"]).arg(home.file("sshd_config")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut sshd = Process::start(&mut command);
    for _ in 0..100 {
        let mut probe = link.command(SENDER, Path::new("bash"));
        let target = format!("exec 3<>/dev/tcp/{}/{SSH_PORT}", ADDRESSES[RECEIVER]);
        if probe.args(["-c", &target]).stderr(Stdio::null()).status()?.success() {
            return Ok(sshd);
        }
        if sshd.ended().is_some() {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    bail!("sshd does not run: install openssh-server")
}
