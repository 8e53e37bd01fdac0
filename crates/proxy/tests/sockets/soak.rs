//! A proxy under everything at once for a long time: targets that die and hang, slow clients, uploads and downloads
//! that are given up, large bodies, redeploys. It must not grow, panic or leave a request without an answer.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{Link, Proxy, eventually, free_port, get};

/// An answer that takes longer than this never comes: targets get two seconds.
const STUCK: Duration = Duration::from_secs(90);

#[test]
fn a_minute_of_everything() {
    soak(Duration::from_secs(60), Duration::from_secs(10), 1.5);
}

/// `DHOW_SOAK_SECONDS` makes it shorter or longer.
#[test]
#[ignore = "takes an hour; bin/test --full runs it"]
fn an_hour_of_everything() {
    let seconds = std::env::var("DHOW_SOAK_SECONDS").map_or(3600, |text| text.parse().unwrap());
    soak(Duration::from_secs(seconds), Duration::from_secs(60), 1.1);
}

/// Runs for `time` and prints the proxy's memory once every `step`. The first sixth is for warming up; no step of the last
/// sixth may need more than `growth` times what the last step of the first sixth did.
#[expect(
    clippy::print_stdout,
    reason = "the figures are the test's second result"
)]
fn soak(time: Duration, step: Duration, growth: f64) {
    let metrics = free_port();
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--metrics-port", &metrics.to_string()]);
    let targets: Vec<_> = (0..3).map(|_| Arc::new(Mortal::start())).collect();
    deploy(&proxy, &targets, 0);
    let world = Arc::new(World::default());
    let mut threads = clients(&world, proxy.http);
    for (number, target) in targets.iter().enumerate() {
        let (world, target) = (Arc::clone(&world), Arc::clone(target));
        threads.push(std::thread::spawn(move || target.suffer(&world, number)));
    }
    let begun = Instant::now();
    let mut means = Vec::new();
    for round in 1.. {
        let mean = resident(&world, &proxy, begun + step * round, step);
        means.push(mean);
        println!(
            "{:5} s: {:6.1} MB, {} answered, {} refused for want of a target, {} given up",
            begun.elapsed().as_secs(),
            mean / 1024.0,
            world.answered.load(Ordering::Relaxed),
            world.refused.load(Ordering::Relaxed),
            world.given_up.load(Ordering::Relaxed),
        );
        let wrong = world.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        drop(wrong);
        if begun.elapsed() >= time {
            break;
        }
        deploy(&proxy, &targets, round as usize);
    }
    world.stop.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(world.wrong.lock().unwrap().is_empty());
    for count in [&world.answered, &world.refused, &world.given_up] {
        assert!(count.load(Ordering::SeqCst) > 0);
    }
    eventually("nothing is in flight", || {
        let text = get(metrics, "a", "/metrics").text();
        let mut left = text
            .lines()
            .filter(|line| line.contains("in_flight") && !line.starts_with('#'));
        left.all(|line| line.ends_with(" 0"))
    });
    let sixth = (means.len() / 6).max(1);
    let (early, late) = (means[sixth - 1], &means[means.len() - sixth..]);
    println!(
        "after warming up {:.1} MB, in the end {late:.0?} KB",
        early / 1024.0
    );
    assert!(late.iter().all(|mean| *mean <= early * growth), "{means:?}");
    assert_eq!(proxy.terminate(), 0);
    assert_eq!(proxy.stderr(), "");
}

/// Two services with all targets, one of them with buffers; the timeouts differ, so that every deploy is one.
fn deploy(proxy: &Proxy, targets: &[Arc<Mortal>], round: usize) {
    let list: Vec<_> = targets
        .iter()
        .map(|target| target.address.as_str())
        .collect();
    let target = format!("--target={}", list.join(","));
    let plain = format!("--target-timeout={}ms", 2000 + round % 7);
    for more in [
        vec!["plain", "--host=plain"],
        vec![
            "packed",
            "--host=packed",
            "--buffer-requests",
            "--buffer-responses",
            "--buffer-memory=65536",
        ],
    ] {
        let mut args = vec!["deploy"];
        args.extend(more);
        args.extend([
            &*target,
            &*plain,
            "--force",
            "--drain-timeout=3s",
            "--health-check-interval=100ms",
            "--health-check-timeout=1s",
        ]);
        proxy.run(&args).quiet();
    }
}

/// The mean of resident kilobytes until a moment, of which nothing but the last `step` counts.
fn resident(world: &World, proxy: &Proxy, until: Instant, step: Duration) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    while count < 1.0 || Instant::now() < until {
        let output = Command::new("grep")
            .args(["VmRSS:", &format!("/proc/{}/status", proxy.pid())])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let kilobytes = text.split_whitespace().nth(1).expect("a proxy that runs");
        sum += kilobytes.parse::<f64>().unwrap();
        count += 1.0;
        world.sleep(step / 20);
    }
    sum / count
}

/// What all threads share.
#[derive(Default)]
struct World {
    stop: AtomicBool,
    /// 200, and the right body.
    answered: AtomicUsize,
    /// 502, 503 or 504, or broken off, as it must be with targets that die.
    refused: AtomicUsize,
    /// By the client.
    given_up: AtomicUsize,
    /// What may not be.
    wrong: Mutex<Vec<String>>,
    /// Milliseconds in which the machine gave this process no time at all.
    lost: AtomicUsize,
}

impl World {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Sleeps, and notes whether it took far longer.
    fn sleep(&self, time: Duration) {
        let begun = Instant::now();
        std::thread::sleep(time);
        let late = begun.elapsed().saturating_sub(time);
        if late > Duration::from_secs(2) {
            let late = usize::try_from(late.as_millis()).unwrap();
            self.lost.fetch_add(late, Ordering::SeqCst);
        }
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

/// Numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, range: Range<usize>) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        range.start + usize::try_from(self.0 >> 16).unwrap() % range.len()
    }

    fn pause(&mut self, millis: Range<usize>) {
        let millis = self.roll(millis);
        std::thread::sleep(Duration::from_millis(millis.try_into().unwrap()));
    }
}

fn clients(world: &Arc<World>, port: u16) -> Vec<JoinHandle<()>> {
    let kinds: [fn(&World, u16, &mut Dice); 8] = [
        quick,
        quick,
        slow_reader,
        slow_writer,
        given_up_upload,
        given_up_download,
        huge_upload,
        half_a_head,
    ];
    let threads = kinds
        .into_iter()
        .chain([switched as fn(&World, u16, &mut Dice)])
        .enumerate();
    threads
        .map(|(number, kind)| {
            let world = Arc::clone(world);
            std::thread::spawn(move || {
                let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ number as u64);
                while world.goes_on() {
                    kind(&world, port, &mut dice);
                }
            })
        })
        .collect()
}

fn open(port: u16) -> Link {
    let link = Link::open(port);
    link.reader.get_ref().set_read_timeout(Some(STUCK)).unwrap();
    link.reader
        .get_ref()
        .set_write_timeout(Some(STUCK))
        .unwrap();
    link
}

fn host(dice: &mut Dice) -> &'static str {
    ["plain", "packed"][dice.roll(0..2)]
}

/// Reads an answer and judges it; whether the connection goes on.
fn judge(world: &World, link: &mut Link, what: &str, expected: impl FnOnce(&[u8]) -> bool) -> bool {
    let (begun, lost) = (Instant::now(), world.lost.load(Ordering::SeqCst));
    let answer = link.try_read(false);
    if begun.elapsed() >= STUCK && answer.is_none() {
        if world.lost.load(Ordering::SeqCst) > lost {
            return false;
        }
        world.wrong(format!("{what}: no answer in {STUCK:?}"));
        return false;
    }
    match answer {
        Some(answer) if answer.status == 200 && answer.complete => {
            world.answered.fetch_add(1, Ordering::Relaxed);
            if !expected(&answer.body) {
                world.wrong(format!(
                    "{what}: {} bytes of another answer",
                    answer.body.len()
                ));
            }
            answer.header("Connection") != Some("close")
        }
        // A body that broke off, or a target that was not there.
        Some(answer) if answer.status == 200 || matches!(answer.status, 502..=504) => {
            world.refused.fetch_add(1, Ordering::Relaxed);
            false
        }
        None => {
            world.refused.fetch_add(1, Ordering::Relaxed);
            false
        }
        Some(answer) => {
            world.wrong(format!("{what}: {answer:?}"));
            false
        }
    }
}

fn quick(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    let host = host(dice);
    for _ in 0..dice.roll(1..200) {
        link.write(format!("GET /small HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        if !judge(world, &mut link, "quick", |body| body == b"0") || !world.goes_on() {
            return;
        }
        dice.pause(0..3);
    }
}

fn slow_reader(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    link.write(format!(
        "GET /big HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        host(dice)
    ));
    let mut chunk = vec![0; 64 << 10];
    let (mut total, lost) = (0, world.lost.load(Ordering::SeqCst));
    loop {
        match link.reader.get_mut().read(&mut chunk) {
            Ok(0) => break,
            Ok(size) => total += size,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                    && world.lost.load(Ordering::SeqCst) == lost =>
            {
                return world.wrong(format!("slow reader: stuck after {total} bytes"));
            }
            Err(_) => break,
        }
        dice.pause(0..15);
    }
    let count = if total > BIG {
        &world.answered
    } else {
        &world.refused
    };
    count.fetch_add(1, Ordering::Relaxed);
}

fn slow_writer(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    let length = dice.roll(1..60);
    let mut bytes = format!(
        "POST /slow HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n",
        host(dice)
    )
    .into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    for byte in bytes.chunks(dice.roll(1..9)) {
        if link.reader.get_mut().write_all(byte).is_err() || !world.goes_on() {
            break;
        }
        dice.pause(0..20);
    }
    if world.goes_on() {
        judge(world, &mut link, "slow writer", |body| {
            body == length.to_string().as_bytes()
        });
    }
}

fn given_up_upload(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    let head = format!(
        "POST /up-load HTTP/1.1\r\nHost: {}\r\nContent-Length: 8000000\r\n\r\n",
        host(dice)
    );
    link.write(head);
    let part = vec![b'x'; dice.roll(0..2_000_000)];
    // A target that is gone has been answered for already.
    let _ = link.reader.get_mut().write_all(&part);
    dice.pause(0..30);
    world.given_up.fetch_add(1, Ordering::Relaxed);
}

fn given_up_download(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    link.write(format!("GET /big HTTP/1.1\r\nHost: {}\r\n\r\n", host(dice)));
    let mut part = vec![0; dice.roll(1..400_000)];
    let _ = link.reader.get_mut().read(&mut part);
    dice.pause(0..30);
    world.given_up.fetch_add(1, Ordering::Relaxed);
}

fn huge_upload(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    let length = dice.roll(1_000_000..12_000_000);
    link.write(format!(
        "POST /huge HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n",
        host(dice)
    ));
    let part = vec![b'x'; 100_000];
    let mut left = length;
    while left > 0 {
        let size = left.min(part.len());
        if link.reader.get_mut().write_all(&part[..size]).is_err() {
            break;
        }
        left -= size;
    }
    judge(world, &mut link, "huge upload", |body| {
        body == length.to_string().as_bytes()
    });
    dice.pause(0..300);
}

fn half_a_head(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    let head = b"GET /never HTTP/1.1\r\nHost: plain\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    link.write(&head[..dice.roll(0..head.len())]);
    dice.pause(0..200);
    world.given_up.fetch_add(1, Ordering::Relaxed);
}

fn switched(world: &World, port: u16, dice: &mut Dice) {
    let mut link = open(port);
    link.write(format!(
        "GET /switch HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        host(dice)
    ));
    let Some(answer) = link.try_read(false) else {
        world.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    if answer.status != 101 {
        world.refused.fetch_add(1, Ordering::Relaxed);
        return;
    }
    for _ in 0..dice.roll(1..100) {
        let mut byte = [0];
        if link.reader.get_mut().write_all(b"x").is_err()
            || link.reader.read_exact(&mut byte).is_err()
        {
            world.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if &byte != b"x" {
            return world.wrong(format!("switched: {byte:?}"));
        }
        dice.pause(0..10);
    }
    world.answered.fetch_add(1, Ordering::Relaxed);
}

const BIG: usize = 1 << 20;
const ALIVE: u8 = 0;
const DEAD: u8 = 1;
const HANGING: u8 = 2;

/// A target that dies, hangs and comes back.
struct Mortal {
    address: String,
    state: Arc<AtomicU8>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Mortal {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mortal = Self {
            address: listener.local_addr().unwrap().to_string(),
            state: Arc::default(),
            streams: Arc::default(),
        };
        let (state, streams) = (Arc::clone(&mortal.state), Arc::clone(&mortal.streams));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if state.load(Ordering::Relaxed) == DEAD {
                    continue;
                }
                let mut open = streams.lock().unwrap();
                open.retain(|stream| stream.take_error().is_ok() && stream.peer_addr().is_ok());
                open.push(stream.try_clone().unwrap());
                drop(open);
                let state = Arc::clone(&state);
                std::thread::spawn(move || {
                    let shutdown = stream.try_clone().unwrap();
                    let mut link = Link::over(stream);
                    while Self::answer(&mut link, &state).is_some() {}
                    let _ = shutdown.shutdown(Shutdown::Both);
                });
            }
        });
        mortal
    }

    /// Dies or hangs now and then.
    fn suffer(&self, world: &World, number: usize) {
        let mut dice = Dice(0x1234_5678_9abc_def1 ^ number as u64);
        while world.goes_on() {
            dice.pause(500..4000);
            let fate = [DEAD, HANGING][dice.roll(0..2)];
            self.state.store(fate, Ordering::SeqCst);
            if fate == DEAD {
                for stream in self.streams.lock().unwrap().drain(..) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            dice.pause(200..1500);
            self.state.store(ALIVE, Ordering::SeqCst);
        }
    }

    fn answer(link: &mut Link, state: &AtomicU8) -> Option<()> {
        let line = link.line()?;
        let mut length = 0;
        loop {
            let header = link.line()?;
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("Content-Length: ") {
                length = value.parse().ok()?;
            }
        }
        let body =
            std::io::copy(&mut (&mut link.reader).take(length), &mut std::io::sink()).ok()?;
        if body < length {
            return None;
        }
        while state.load(Ordering::Relaxed) == HANGING {
            std::thread::sleep(Duration::from_millis(20));
        }
        let out = link.reader.get_mut();
        match line.split(' ').nth(1)? {
            "/big" => {
                write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n").ok()?;
                out.write_all(&vec![b'x'; BIG]).ok()
            }
            "/switch" => {
                out.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").ok()?;
                let mut byte = [0];
                while link.reader.read_exact(&mut byte).is_ok() {
                    link.reader.get_mut().write_all(&byte).ok()?;
                }
                None
            }
            _ => {
                let text = body.to_string();
                write!(
                    out,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
                    text.len()
                )
                .ok()
            }
        }
    }
}
