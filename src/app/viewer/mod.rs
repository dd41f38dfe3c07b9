//! `rs connect`: finds a host, gets in, shows and drives it; `rs cp`: copies files instead.

pub(super) mod connect;
mod cp;
mod decode;
mod exact;
mod figures;
mod session;
mod shown;
mod upgrade;

use std::{
    io::{BufRead, IsTerminal},
    time::Duration,
};

use ed25519_dalek::SigningKey;
use futures::future::join_all;
use tokio::{runtime::Runtime, sync::mpsc, task::JoinHandle};
use zeroize::Zeroizing;

use self::{
    connect::{Network, Wanted, authenticate},
    session::{Session, Start},
};
use super::{Failure, display_name, exit_code, files::Place, outlet::Outlet, path_info, relays};
use crate::{
    cli::{self, ConnectArgs, CpArgs, ExitCode, Target, View, cp::Copy},
    net,
    protocol::{
        auth::{Authenticated, Offer},
        message::EndReason,
        permission::{Permission, Permissions},
        session::path::PathId,
    },
    store::{Config, Store},
    ui::{
        self, ViewerSeat,
        event::{PathInfo, ViewerEvent},
        headless::{self, Commands},
        picture::Picture,
        prompt, window,
    },
};

/// How long the faces may take to show the last events.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Connects and stays until the session ends. The window, if any, runs on the calling thread: it must be the main one.
///
/// # Errors
/// Every way a visit can fail, each with its exit code.
pub fn run(args: ConnectArgs, runtime: &Runtime) -> Result<(), Failure> {
    visit(args, None, runtime)
}

/// Connects, copies and leaves.
///
/// # Errors
/// As [`run`], or something was not copied.
pub fn copy(args: CpArgs, runtime: &Runtime) -> Result<(), Failure> {
    let copy = cli::cp::copy(args.paths).map_err(|text| Failure::new(ExitCode::Usage, text))?;
    let (Copy::To(target, ..) | Copy::From(target, ..)) = &copy;
    let connect = ConnectArgs {
        target: (**target).clone(),
        net: args.net,
        password_file: args.password_file,
        password_stdin: args.password_stdin,
        view: Some(View::None),
        lossless: false,
        files: None,
        screenshot: None,
        view_only: false,
        json: args.json,
    };
    visit(connect, Some(copy), runtime)
}

/// Connects: for a copy, or to show and drive.
fn visit(args: ConnectArgs, copy: Option<Copy>, runtime: &Runtime) -> Result<(), Failure> {
    let place = copy.as_ref().map(cp::place).transpose()?;
    let wants = match &copy {
        Some(_) => [Permission::Files].into_iter().collect(),
        None if args.view_only => Permissions::view_only(),
        None => Permissions::all(),
    };
    let view = args.view.unwrap_or_default();
    if view == View::Terminal {
        return Err(Failure::new(ExitCode::Usage, "--view terminal comes in a later version; use --view window or none"));
    }
    let windowed = view == View::Window && args.screenshot.is_none();
    let id = args.target.id();
    let picture = Picture::default();
    let mut faces = Faces::default();
    let (shown, acted) = faces.add(&picture);
    let commands = if windowed { Commands::ChatOnly } else { Commands::All };
    // With the password on stdin, its line comes before any command's.
    let password = password_source(&args)?;
    let (json, quiet) = (args.json, args.screenshot.is_some());
    // On a thread of its own: a terminal that takes nothing must not hold up the session.
    let handle = runtime.handle().clone();
    let face: JoinHandle<Result<(), Failure>> = runtime.spawn_blocking(move || {
        handle.block_on(async {
            match copy {
                Some(copy) => cp::run(shown, json, copy).await?,
                None if quiet && !json => drain(shown).await,
                None => headless::run_viewer(shown, json, commands).await,
            }
            Ok(())
        })
    });

    // Before anything is told: the window must hear that the host let us in, though it opens only then.
    let (window_seat, window_acted) = windowed.then(|| faces.add(&picture)).unzip();
    let mut node = None;
    let result = runtime.block_on(open(&args, wants, password, &mut faces, &mut node)).and_then(|opened| {
        let start = Start {
            auth: opened.auth,
            network: opened.network,
            path: opened.path,
            shown_path: opened.shown_path,
            resume: opened.config.resume(),
            probing: !args.net.no_probing,
            picture,
            faces: std::mem::take(&mut faces),
            actions: [Some(acted), window_acted],
            files: place.unwrap_or_else(|| Place::new(args.files.clone(), opened.config.files.clone())),
            lossless: args.lossless,
            screenshot: args.screenshot.clone(),
            begun: opened.begun,
        };
        let session = runtime.block_on(async { Session::start(start) })?;
        let live = runtime.spawn(session.live());
        let shown = window_seat.map(|seat| window::run(seat, window::Options { id: id.to_string(), close_at_end: args.json }));
        let reason = runtime.block_on(live).map_err(|_| Failure::other("the session ended in an error; see RS_LOG=debug"))??;
        // A window that could not be opened ended the session by dropping its seat.
        if let Some(Err(error)) = shown {
            return Err(Failure::new(ExitCode::NoScreen, format!("{error:#}")));
        }
        match exit_code(reason) {
            ExitCode::Fine => Ok(()),
            code => Err(Failure::new(code, farewell(reason))),
        }
    });
    if let Some(node) = node {
        runtime.block_on(node.stop());
    }
    drop(faces);
    // The last events are shown before the process ends.
    let said = runtime.block_on(async { tokio::time::timeout(LAST_WORDS, face).await });
    result.and(said.ok().and_then(Result::ok).unwrap_or(Ok(())))
}

/// What to say of a session that did not end as it should.
fn farewell(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Lost => "the connection to the host was lost and did not come back; connect again",
        EndReason::ScreenLost => "the host can no longer share its screen; ask its user to start rs host again",
        EndReason::ProtocolError => "the other side broke the protocol; both should use the same version of rs",
        EndReason::HostEnded | EndReason::ViewerLeft | EndReason::PasswordRotated | EndReason::HostQuit => {
            "the session is finished"
        }
    }
}

/// The seats of all faces, as outlets of what happens; the lines come first.
#[derive(Default)]
struct Faces {
    outlets: Vec<Outlet<ViewerEvent>>,
}

impl Faces {
    fn add(&mut self, picture: &Picture) -> (ViewerSeat, mpsc::Receiver<ui::event::ViewerAction>) {
        let (sender, events) = mpsc::channel(ui::QUEUE);
        let (actions, acted) = mpsc::channel(ui::QUEUE);
        self.outlets.push(Outlet::new(sender));
        (ViewerSeat { events, actions, picture: picture.clone() }, acted)
    }

    /// Tells every face, without waiting for any.
    fn tell(&mut self, event: &ViewerEvent) {
        self.outlets.iter_mut().for_each(|face| face.tell(event.clone()));
    }

    /// Tells the face that asks for figures: the window, if there is one, since lines beside it are chat.
    fn tell_asker(&mut self, event: &ViewerEvent) {
        self.outlets.iter_mut().next_back().into_iter().for_each(|face| face.tell(event.clone()));
    }

    /// Whether something waits for a face: call [`Self::flush`] beside everything else.
    fn is_waiting(&self) -> bool {
        self.outlets.iter().any(Outlet::is_waiting)
    }

    /// Passes on what waits. Cancel-safe.
    async fn flush(&mut self) {
        join_all(self.outlets.iter_mut().map(Outlet::flush)).await;
    }

    /// The last events, but not for a face that is stuck.
    async fn finish(mut self) {
        join_all(self.outlets.iter_mut().map(Outlet::finish)).await;
    }

    /// Closes the window, if there is one.
    fn close_window(&mut self) {
        self.outlets.truncate(1);
    }
}

async fn drain(mut seat: ViewerSeat) {
    while seat.events.recv().await.is_some() {}
}

/// Somebody let us in.
struct Opened {
    auth: Authenticated,
    network: Network,
    path: PathId,
    /// The path that was told.
    shown_path: Option<PathInfo>,
    config: Config,
    begun: std::time::Instant,
}

/// Finds the host and authenticates. Leaves a handle of the network in `kept`, however that ends.
async fn open(
    args: &ConnectArgs,
    wants: Permissions,
    password: PasswordSource,
    faces: &mut Faces,
    kept: &mut Option<net::Node>,
) -> Result<Opened, Failure> {
    let begun = std::time::Instant::now();
    let store = Store::open()?;
    let config = store.config()?;
    let identity = store.identity()?;
    let (wanted, mut network) = reach(args, &identity, &config, &store).await?;
    *kept = Some(network.node.clone());
    let (path, host) = network.find(&wanted).await?;

    let shown_path = network.paths.get(&path).map(|known| path_info(known.kind, known.transport));
    if let Some(path) = shown_path.clone() {
        faces.tell(&ViewerEvent::Connected { id: wanted.id.to_string(), path });
    }
    let name = display_name(config.name.clone());
    let offer = Offer { identity, host: wanted.id, expected: wanted.key, name, wants };
    let node = network.node.clone();
    let auth = {
        let entering = authenticate(&node, path, &offer, password, |code| {
            faces.tell(&ViewerEvent::Waiting { code: code.map(|code| code.to_string()) })
        });
        tokio::pin!(entering);
        loop {
            // The network goes on meanwhile: a direct path may come up while the host's user thinks.
            tokio::select! {
                auth = &mut entering => break auth?,
                Some(event) = network.events.recv() => drop(network.follow(event, host)),
            }
        }
    };
    store.pin_host(wanted.id, auth.peer)?;
    faces.tell(&ViewerEvent::Granted { permissions: auth.permissions });
    let path = network.best(host).unwrap_or(path);
    Ok(Opened { auth, network, path, shown_path, config, begun })
}

/// Starts the network and says what to look for.
async fn reach(args: &ConnectArgs, identity: &SigningKey, config: &Config, store: &Store) -> Result<(Wanted, Network), Failure> {
    let (wanted, from_link) = wanted(&args.target, !args.net.no_lan, store)?;
    let relays = relays::gather(&args.net.relay, config, &from_link, store)?;
    let node_config = net::node::Config {
        identity: identity.clone(),
        part: net::node::Part::Viewer,
        listen: args.net.listen.clone(),
        lan: wanted.lan,
        port_mapping: !args.net.no_port_mapping,
        trace: None,
    };
    let (node, events) = net::node::start(node_config).await.map_err(|error| Failure::other(format!("{error:#}")))?;
    for relay in relays.addresses() {
        node.use_relay(relay).await?;
    }
    Ok((wanted, Network::new(node, events, relays, store.clone())))
}

/// What is known about a host, and the relays that its link names.
///
/// # Errors
/// Another key is pinned than the one given.
pub(super) fn wanted(target: &Target, lan: bool, store: &Store) -> Result<(Wanted, Vec<String>), Failure> {
    let id = target.id();
    let pinned = store.pinned_host(id)?;
    let (told, addresses, from_link) = match target {
        Target::Id(_) => (None, Vec::new(), Vec::new()),
        Target::At(_, key, addresses) => (*key, addresses.clone(), Vec::new()),
        Target::Link(link) => (Some(link.key), Vec::new(), link.relays.clone()),
    };
    let key = told.or(pinned);
    if pinned.is_some_and(|pinned| key != Some(pinned)) {
        return Err(Failure::new(
            ExitCode::IdentityChanged,
            format!("the host's identity changed since the last visit; if its user set it up anew, remove {id} from known_hosts"),
        ));
    }
    Ok((Wanted { id, key, lan: lan && addresses.is_empty(), addresses }, from_link))
}

/// Where the password comes from; read only when the host asks for one, but stdin's first line is its own at once.
enum PasswordSource {
    Given(Zeroizing<String>),
    Prompt,
    Nowhere,
}

impl PasswordSource {
    /// The password, if nobody has to be asked for it.
    fn given(&self) -> Option<&Zeroizing<String>> {
        if let Self::Given(password) = self { Some(password) } else { None }
    }

    fn read(self) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Given(password) => Ok(password),
            Self::Prompt => prompt::password("Password (the host's user reads it out): ").map_err(Failure::other),
            Self::Nowhere => Err(Failure::new(
                ExitCode::Authentication,
                "the host asks for a password; give it with --password-stdin, --password-file FILE or RS_PASSWORD",
            )),
        }
    }
}

fn password_source(args: &ConnectArgs) -> Result<PasswordSource, Failure> {
    let first_line = |mut reader: Box<dyn BufRead>| {
        let mut line = Zeroizing::new(String::new());
        std::io::Read::take(&mut reader, 4096).read_line(&mut line).map(|_| line)
    };
    let trim = |line: Zeroizing<String>| Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    if let Some(file) = &args.password_file {
        let line = std::fs::File::open(file)
            .map(std::io::BufReader::new)
            .and_then(|reader| first_line(Box::new(reader)))
            .map_err(|error| Failure::other(format!("the password file {} cannot be read ({error})", file.display())))?;
        return Ok(PasswordSource::Given(trim(line)));
    }
    if args.password_stdin {
        // The same buffer that later lines are read from: nothing is lost.
        let line = first_line(Box::new(std::io::stdin().lock()))
            .map_err(|error| Failure::other(format!("no password could be read from stdin ({error})")))?;
        return Ok(PasswordSource::Given(trim(line)));
    }
    if let Ok(password) = std::env::var("RS_PASSWORD") {
        return Ok(PasswordSource::Given(Zeroizing::new(password)));
    }
    Ok(if std::io::stdin().is_terminal() { PasswordSource::Prompt } else { PasswordSource::Nowhere })
}
