//! `rs connect`: finds a host, gets in, shows and drives it; `rs cp`: copies files instead.

pub(super) mod connect;
mod cp;
mod decode;
mod exact;
mod faces;
mod figures;
mod session;
mod shown;
mod upgrade;

use std::{
    io::{BufRead, IsTerminal},
    time::Duration,
};

use ed25519_dalek::SigningKey;
use tokio::{runtime::Runtime, sync::mpsc, task::JoinHandle};
use zeroize::Zeroizing;

use self::{
    connect::{Network, Wanted, authenticate},
    faces::Faces,
    session::{Session, Start},
};
use super::{
    Failure,
    clipboard::Part,
    display_name, exit_code,
    files::Place,
    hosts,
    log::{About, HostName, Recorder, ViewerName},
    path_info, peer_key, relays,
};
use crate::{
    cli::{self, ConnectArgs, CpArgs, ExitCode, PasswordArgs, Target, View, Whom, cp::Copy},
    net,
    protocol::{
        auth::{Authenticated, Offer},
        id::HostId,
        input::KeyboardMode,
        message::EndReason,
        permission::{Permission, Permissions},
        session::path::PathId,
    },
    store::{Config, Store},
    ui::{
        ViewerSeat, console,
        event::{PathInfo, Side, ViewerAction, ViewerEvent},
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
        target: Some(Whom::Target((**target).clone())),
        net: args.net,
        password: args.password,
        view: Some(View::None),
        lossless: false,
        keyboard: KeyboardMode::default(),
        files: None,
        screenshot: None,
        view_only: false,
        no_clipboard: true,
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
    let windowed = view == View::Window && args.screenshot.is_none();
    let in_terminal = view == View::Terminal;
    if in_terminal {
        check_terminal(&args)?;
    }
    let store = Store::open()?;
    let (typed, password, answers) = Typed::new();
    // Started from a desktop's menu: there is no terminal to choose a host on.
    let chooses = args.target.is_none() && windowed && !args.json && !hosts::can_ask() && window::has_display();
    let goal = if chooses { Goal::Asked(answers) } else { Goal::Known(hosts::whom(args.target.clone(), &store, args.json)?) };
    let id = goal.id();
    let shown_id = id.map(|id| id.to_string()).unwrap_or_default();
    let picture = Picture::default();
    let mut faces = Faces::default();
    let (shown, acted) = faces.add(&picture);
    let commands = if windowed { Commands::ChatOnly } else { Commands::All };
    let (json, quiet) = (args.json, args.screenshot.is_some());
    // With the password on stdin, its line comes before any command's.
    let password = password_source(&args, windowed, password)?;
    // On a thread of its own: a terminal that takes nothing must not hold up the session.
    let (handle, console_id) = (runtime.handle().clone(), shown_id.clone());
    let face: JoinHandle<Result<(), Failure>> = runtime.spawn_blocking(move || {
        handle.block_on(async {
            match copy {
                Some(copy) => cp::run(shown, json, copy).await?,
                None if quiet && !json => drain(shown).await,
                None if in_terminal => console::run(shown, console_id)
                    .await
                    .map_err(|error| Failure::other(format!("the terminal cannot be used any more ({error:#})")))?,
                None => headless::run_viewer(shown, json, commands).await,
            }
            Ok(())
        })
    });

    let name = id.map(|id| hosts::name_of(&store, id)).transpose()?.flatten();
    let patience = store.config()?.resume();
    let options =
        window::Options { id: shown_id, name, patience, close_at_end: json, lossless: args.lossless, keyboard: args.keyboard };
    let (window_seat, window_acted) = windowed.then(|| faces.add(&picture)).unzip();
    let visit = Visit { args, goal, wants, place, picture, faces, actions: [Some(acted), window_acted], typed };
    let visit = runtime.spawn(visit.run(password));
    // The window is there from the first moment; it shows how finding the host and being let in go on.
    let shown = window_seat.map(|seat| window::run(seat, options));
    let result = runtime.block_on(visit).map_err(|_| Failure::other("the session ended in an error; see RS_LOG=debug"))?;
    // The last events are shown before the process ends; in a terminal they stay until the user has read them.
    let patience = if in_terminal { Duration::MAX } else { LAST_WORDS };
    let said = runtime.block_on(async { tokio::time::timeout(patience, face).await });
    // A window that could not be opened ended the visit by dropping its seat.
    if let Some(Err(error)) = shown {
        return Err(Failure::new(ExitCode::NoScreen, format!("{error:#}")));
    }
    result.and(said.ok().and_then(Result::ok).unwrap_or(Ok(())))
}

/// Whom to visit.
enum Goal {
    /// This host.
    Known(Target),
    /// The one that is chosen in the window.
    Asked(mpsc::Receiver<String>),
}

impl Goal {
    fn id(&self) -> Option<HostId> {
        if let Self::Known(target) = self { Some(target.id()) } else { None }
    }
}

/// Where goes what is typed in the window before there is a session.
struct Typed {
    password: mpsc::Sender<Zeroizing<String>>,
    host: mpsc::Sender<String>,
}

impl Typed {
    /// And where the passwords and the hosts come out.
    fn new() -> (Self, mpsc::Receiver<Zeroizing<String>>, mpsc::Receiver<String>) {
        let ((password, passwords), (host, hosts)) = (mpsc::channel(1), mpsc::channel(1));
        (Self { password, host }, passwords, hosts)
    }
}

/// From the search for the host to the end.
struct Visit {
    args: ConnectArgs,
    goal: Goal,
    wants: Permissions,
    /// Where files go, if not where the arguments say.
    place: Option<Place>,
    picture: Picture,
    faces: Faces,
    /// What the users of the faces do: the lines first, then the window, if there is one.
    actions: [Option<mpsc::Receiver<ViewerAction>>; 2],
    typed: Typed,
}

impl Visit {
    async fn run(mut self, password: PasswordSource) -> Result<(), Failure> {
        let mut node = None;
        let opened = {
            let Self { args, goal, wants, faces, actions, typed, .. } = &mut self;
            let opening = async {
                match goal {
                    Goal::Known(target) => open(args, target, *wants, password, faces, &mut node).await,
                    Goal::Asked(answers) => {
                        let target = hosts::ask(answers, |event| faces.tell_window(&event)).await?;
                        open(args, &target, *wants, password, faces, &mut node).await
                    }
                }
            };
            tokio::select! {
                opened = opening => opened.map(Some),
                () = left(&mut actions[1], typed) => Ok(None),
            }
        };
        let result = match opened {
            Ok(Some(opened)) => self.stay(opened).await,
            // Whoever closes the window before being let in wanted no more.
            Ok(None) => Ok(()),
            Err(failure) => {
                self.faces.tell_window(&ViewerEvent::Failed { text: failure.text.clone() });
                self.faces.finish().await;
                Err(failure)
            }
        };
        if let Some(node) = node {
            node.stop().await;
        }
        result
    }

    /// The session.
    async fn stay(self, opened: Opened) -> Result<(), Failure> {
        let start = Start {
            auth: opened.auth,
            network: opened.network,
            path: opened.path,
            shown_path: opened.shown_path,
            resume: opened.config.resume(),
            probing: !self.args.net.no_probing,
            picture: self.picture,
            faces: self.faces,
            actions: self.actions,
            files: self.place.unwrap_or_else(|| Place::new(self.args.files.clone(), opened.config.files.clone())),
            lossless: self.args.lossless,
            clipboard: match self.args.view.unwrap_or_default() {
                _ if self.args.no_clipboard => Part::Nowhere,
                View::None => Part::Hand,
                View::Window | View::Terminal => Part::Desktop,
            },
            keyboard: self.args.keyboard,
            screenshot: self.args.screenshot,
            begun: opened.begun,
        };
        let reason = Session::start(start)?.live().await?;
        match exit_code(reason) {
            ExitCode::Fine => Ok(()),
            code => Err(Failure::new(code, farewell(reason))),
        }
    }
}

/// What `--view terminal` needs.
fn check_terminal(args: &ConnectArgs) -> Result<(), Failure> {
    if args.json {
        return Err(Failure::new(ExitCode::Usage, "--json and --view terminal want the same output; use --view none with --json"));
    }
    console::check().map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))
}

/// Until the window is closed. A host and a password that are typed in it are passed on.
async fn left(window: &mut Option<mpsc::Receiver<ViewerAction>>, typed: &Typed) {
    let Some(acted) = window else { return std::future::pending().await };
    loop {
        match acted.recv().await {
            None | Some(ViewerAction::Quit) => return,
            Some(ViewerAction::Password(secret)) => drop(typed.password.try_send(secret.0)),
            Some(ViewerAction::Visit(host)) => drop(typed.host.try_send(host)),
            // Nothing else can be done before being let in.
            Some(_) => {}
        }
    }
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
    target: &Target,
    wants: Permissions,
    password: PasswordSource,
    faces: &mut Faces,
    kept: &mut Option<net::Node>,
) -> Result<Opened, Failure> {
    let begun = std::time::Instant::now();
    let store = Store::open()?;
    let config = store.config()?;
    let identity = store.identity()?;
    let (wanted, mut network) = reach(args, target, &identity, &config, &store).await?;
    *kept = Some(network.node.clone());
    let (path, host) = network.find(&wanted).await?;

    let shown_path = network.paths.get(&path).map(|known| path_info(known.kind, known.transport));
    if let Some(path) = shown_path.clone() {
        faces.tell(&ViewerEvent::Connected { id: wanted.id.to_string(), path });
    }
    let name = display_name(config.name.clone());
    let viewer = ViewerName { name: name.clone(), key: format!("{:?}", peer_key(&identity)) };
    let offer = Offer { identity, host: wanted.id, expected: wanted.key, name, wants };
    let node = network.node.clone();
    let auth = {
        let entering = authenticate(&node, path, &offer, password, |event| match event {
            ViewerEvent::PasswordWanted { .. } => faces.tell_window(&event),
            event => faces.tell(&event),
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
    store.visited(wanted.id)?;
    let named = HostName { id: wanted.id.to_string(), name: hosts::name_of(&store, wanted.id)? };
    let about = About { session: auth.session, side: Side::Viewer, host: named, viewer, path: shown_path.clone() };
    faces.recorder = Some(Recorder::start(&store, about));
    faces.tell(&ViewerEvent::Granted { permissions: auth.permissions });
    let path = network.best(host).unwrap_or(path);
    Ok(Opened { auth, network, path, shown_path, config, begun })
}

/// Starts the network and says what to look for.
async fn reach(
    args: &ConnectArgs,
    target: &Target,
    identity: &SigningKey,
    config: &Config,
    store: &Store,
) -> Result<(Wanted, Network), Failure> {
    let (wanted, from_link) = wanted(target, !args.net.no_lan, store)?;
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
    Window(mpsc::Receiver<Zeroizing<String>>),
    Nowhere,
}

impl PasswordSource {
    /// The password, if nobody has to be asked for it.
    fn given(&self) -> Option<&Zeroizing<String>> {
        if let Self::Given(password) = self { Some(password) } else { None }
    }

    fn is_asked_in_a_window(&self) -> bool {
        matches!(self, Self::Window(_))
    }

    async fn read(&mut self) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Given(password) => Ok(password.clone()),
            Self::Prompt => {
                let asked = tokio::task::spawn_blocking(|| prompt::password("Password (the host's user reads it out): "));
                asked.await.map_err(Failure::other)?.map_err(Failure::other)
            }
            Self::Window(typed) => {
                typed.recv().await.ok_or_else(|| Failure::new(ExitCode::Authentication, "no password was typed"))
            }
            Self::Nowhere => Err(Failure::new(
                ExitCode::Authentication,
                "the host asks for a password; give it with --password-stdin, --password-file FILE or RS_PASSWORD",
            )),
        }
    }
}

/// Where the password will come from; `typed`: what is typed in a window.
fn password_source(
    args: &ConnectArgs,
    windowed: bool,
    typed: mpsc::Receiver<Zeroizing<String>>,
) -> Result<PasswordSource, Failure> {
    Ok(match given_password(&args.password)? {
        Some(password) => PasswordSource::Given(password),
        // A person looks at the window that just opened, wherever it was started from.
        None if windowed && !args.json => PasswordSource::Window(typed),
        None if std::io::stdin().is_terminal() => PasswordSource::Prompt,
        None => PasswordSource::Nowhere,
    })
}

fn given_password(args: &PasswordArgs) -> Result<Option<Zeroizing<String>>, Failure> {
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
        return Ok(Some(trim(line)));
    }
    if args.password_stdin {
        // The same buffer that later lines are read from: nothing is lost.
        let line = first_line(Box::new(std::io::stdin().lock()))
            .map_err(|error| Failure::other(format!("no password could be read from stdin ({error})")))?;
        return Ok(Some(trim(line)));
    }
    Ok(std::env::var("RS_PASSWORD").ok().map(Zeroizing::new))
}
