//! The OWASP CRS 3.3, unmodified, as Debian's package `modsecurity-crs` has it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use waf_rules::{Action, Profile, ProfileOptions, Ruleset, RulesetBuilder, Transaction, Verdict};

use crate::assert_decides;

/// What the rules count requests with: more than five in a minute, twice, and the address is dropped
/// for ten minutes.
const DOS: &str = r#"SecAction "id:900700,phase:1,nolog,pass,t:none,\
    setvar:'tx.dos_burst_time_slice=60',\
    setvar:'tx.dos_counter_threshold=5',\
    setvar:'tx.dos_block_timeout=600'"
"#;

/// The root that `YETT_CRS3` names, or that of the file system, below which the package puts its files.
fn root() -> Option<PathBuf> {
    let root = std::env::var_os("YETT_CRS3").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    if rules(&root).is_dir() {
        return Some(root);
    }
    eprintln!(
        "SKIPPED: no CRS 3.3 below {}; install modsecurity-crs, or unpack it and set YETT_CRS3",
        root.display()
    );
    None
}

fn rules(root: &Path) -> PathBuf {
    root.join("usr/share/modsecurity-crs/rules")
}

/// In the order of the package's own list, with a set-up of ours behind CRS's.
fn builder(root: &Path, setup: &str) -> RulesetBuilder {
    let own = root.join("etc/modsecurity/crs");
    Ruleset::builder()
        .file(own.join("crs-setup.conf"))
        .text("setup", setup)
        .file(own.join("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"))
        .file(rules(root).join("*.conf"))
        .file(own.join("RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf"))
}

fn load(root: &Path, setup: &str) -> Ruleset {
    let built = builder(root, setup).build();
    built.unwrap_or_else(|errors| panic!("{} problems:\n{errors}", errors.len()))
}

#[test]
fn loads_whole() {
    let Some(root) = root() else { return };
    let ruleset = load(&root, "");
    assert!(ruleset.rules().count() > 500);
    let known = [
        "log actions of a later rule of a chain",
        "@geoLookup never matches",
        "@rbl never matches: http:BL is asked with a key",
    ];
    for notice in ruleset.notices() {
        assert!(known.iter().any(|known| notice.contains(known)), "{notice}");
    }
    assert_eq!(ruleset.components(), ["OWASP_CRS/3.3.4"]);
    let profile =
        Profile::new(&ruleset, ProfileOptions::default()).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(profile.address_lists().is_empty(), "as it comes, nobody is asked");
}

#[test]
fn decides_at_every_paranoia_level() {
    let Some(root) = root() else { return };
    let ruleset = load(&root, "SecDefaultAction \"phase:2,log,auditlog,pass\"");
    for paranoia in 1..=4 {
        let options = ProfileOptions {
            blocking_paranoia: paranoia,
            detection_paranoia: paranoia,
            ..ProfileOptions::default()
        };
        let profile = Profile::new(&ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert_decides(&profile);
    }
}

/// Its two patterns that need backtracking, on what they are for and on what only looks like it.
#[test]
fn looks_behind_and_refers_back() {
    let Some(root) = root() else { return };
    let paranoia =
        ProfileOptions { blocking_paranoia: 2, detection_paranoia: 2, ..ProfileOptions::default() };
    let profile = Profile::new(&load(&root, ""), paranoia).unwrap_or_else(|e| panic!("{e:?}"));
    let has = |rule: u32, body: &str| {
        let mut tx = Transaction::new(profile.clone());
        tx.request_line(b"POST", b"/upload", b"HTTP/1.1");
        tx.header(b"Host", b"shop.example.com");
        let boundary = "multipart/form-data; boundary=edge";
        tx.header(b"Content-Type", boundary.as_bytes());
        tx.head();
        tx.body_chunk(body.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        tx.body();
        tx.matched_rules().contains(&rule)
    };
    let part = |disposition: &str, content: &str| {
        format!(
            "--edge\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n--edge--\r\n"
        )
    };
    for (name, wanted) in [("a;b.php", true), ("caf&eacute;.txt", false), ("menu.txt", false)] {
        assert_eq!(
            has(920_120, &part(&format!("name=\"f\"; filename=\"{name}\""), "x")),
            wanted,
            "{name}"
        );
    }
    for (text, wanted) in [
        ("x' or 1=1 --", true),
        ("x' or 12 like 12", true),
        ("x' or 1<>2 --", true),
        ("colour=red", false),
        ("1 is one and 2 is two", false),
    ] {
        assert_eq!(has(942_130, &part("name=\"q\"", text)), wanted, "{text}");
    }
}

/// `initcol`, `setvar`, `expirevar` and reads of `IP`, as CRS's own rules use them.
#[test]
fn counts_requests_of_an_address() {
    let Some(root) = root() else { return };
    let profile = Profile::new(&load(&root, DOS), ProfileOptions::default())
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let dropped = |address: u8, second: u64| {
        is_dropped(&profile, [192, 0, 2, address].into(), start + Duration::from_secs(second))
    };
    let flood: Vec<bool> = (0..30).map(|second| dropped(1, second)).collect();
    let first = flood.iter().position(|dropped| *dropped).unwrap_or(flood.len());
    // Five for the first burst, and one more for the second.
    assert!((10..=14).contains(&first), "{flood:?}");
    assert!(flood[first..].iter().all(|dropped| *dropped), "{flood:?}");
    assert!(!dropped(2, 31), "another address");
    assert!(dropped(1, 500), "still blocked");
    assert!(!dropped(1, 1_500), "the block has run out");
}

fn is_dropped(profile: &Profile, address: IpAddr, now: SystemTime) -> bool {
    let (_, verdict) = search(profile, address, now);
    matches!(verdict, Verdict::Deny(why) if why.action == Action::Drop)
}

/// An ordinary request, and what is said of it.
fn search(profile: &Profile, address: IpAddr, now: SystemTime) -> (Transaction, Verdict) {
    let mut tx = Transaction::new(profile.clone());
    tx.time(now);
    tx.connection(address, 40_000, [192, 0, 2, 200].into(), 80);
    let verdict = ask(&mut tx);
    (tx, verdict)
}

fn ask(tx: &mut Transaction) -> Verdict {
    tx.request_line(b"GET", b"/search", b"HTTP/1.1");
    tx.header(b"Host", b"shop.example.com");
    tx.header(b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101");
    tx.header(b"Accept", b"*/*");
    let (head, body) = (tx.head(), tx.body());
    tx.finish();
    if matches!(head, Verdict::Pass) { body } else { head }
}

/// Countries as `crs-setup.conf` has them chosen, where they are in the database of `tests/material/places.py`.
#[test]
fn blocks_the_countries_that_are_chosen() {
    let Some(root) = root() else { return };
    let blocked = |countries: &str, address: &str| {
        let setup = format!(
            "SecGeoLookupDB tests/material/places.mmdb\n\
             SecAction \"id:900600,phase:1,nolog,pass,t:none,setvar:'tx.high_risk_country_codes={countries}'\""
        );
        let ruleset = load(&root, &setup);
        assert!(!ruleset.notices().iter().any(|notice| notice.contains("geoLookup")));
        let profile = Profile::new(&ruleset, ProfileOptions::default())
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let address = address.parse().unwrap_or_else(|_| panic!("{address}"));
        // The second request finds what the thread remembers of the first.
        let asked = [(); 2].map(|()| {
            let (tx, verdict) = search(&profile, address, UNIX_EPOCH);
            let denied = matches!(verdict, Verdict::Deny(why) if why.rule_id == 949_110);
            assert_eq!(tx.matched_rules().contains(&910_100), denied);
            denied
        });
        assert_eq!(asked[0], asked[1]);
        asked[0]
    };
    for (countries, address, expected) in [
        ("IS JP", "198.51.100.20", true),
        ("IS JP", "2001:db8:1::20", true),
        ("IS JP", "192.0.2.20", false),
        ("IS JP", "192.0.2.220", false),
        ("US", "192.0.2.20", true),
        ("", "192.0.2.20", false),
    ] {
        assert_eq!(blocked(countries, address), expected, "{countries}: {address}");
    }
}

/// http:BL, with a key and with what `crs-setup.conf` has chosen of its visitors: 910150 to 910180 search the text of the
/// answer, and the next requests of an address are decided by what is remembered of it (910000, 910120).
#[test]
fn blocks_the_visitors_that_are_chosen() {
    let Some(root) = root() else { return };
    let setup = |chosen: &str| {
        format!(
            "SecHttpBlKey abcdefghijkl\n\
             SecAction \"id:900500,phase:1,nolog,pass,t:none,setvar:'tx.block_{chosen}_ip=1'\""
        )
    };
    let matched = |profile: &Profile, address: [u8; 4], answer: Option<[u8; 4]>| {
        let lists = profile.address_lists();
        assert_eq!(lists.len(), 1);
        let mut tx = Transaction::new(profile.clone());
        tx.time(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        tx.connection(address.into(), 40_000, [192, 0, 2, 200].into(), 80);
        if let Some(answer) = answer {
            tx.listed(&lists[0], answer.into());
        }
        let verdict = ask(&mut tx);
        let rules = tx.matched_rules().iter().filter(|rule| (910_000..911_000).contains(*rule));
        let telling = rules.filter(|rule| ![910_013, 910_014, 910_190].contains(*rule)).copied();
        (telling.collect::<Vec<u32>>(), matches!(verdict, Verdict::Deny(_)))
    };
    for (chosen, rule, kinds) in [
        ("search", 910_150, &[0][..]),
        ("spammer", 910_160, &[4, 5, 6, 7]),
        ("suspicious", 910_170, &[1, 3, 5, 7]),
        ("harvester", 910_180, &[2, 3, 6, 7]),
    ] {
        let ruleset = load(&root, &setup(chosen));
        assert!(!ruleset.notices().iter().any(|notice| notice.contains("@rbl")));
        let profile = Profile::new(&ruleset, ProfileOptions::default())
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        for kind in 0..8 {
            let (answer, address) = (Some([127, 3, 61, kind]), [192, 0, 2, kind]);
            let expected = kinds.contains(&kind);
            let first = if expected { vec![rule] } else { vec![] };
            assert_eq!(matched(&profile, address, answer), (first, expected), "{chosen} {kind}");
            let again = matched(&profile, address, answer);
            assert_eq!(again, (vec![910_120], false), "{chosen} {kind}: asked once a day");
        }
        assert_eq!(matched(&profile, [198, 51, 100, 1], None), (vec![], false));
    }
}

/// ModSecurity's own recommended configuration, where its package is unpacked too.
#[test]
fn recommended_configuration_loads() {
    let Some(root) = root() else { return };
    let file = root.join("etc/modsecurity/modsecurity.conf-recommended");
    if !file.is_file() {
        eprintln!("SKIPPED: no {}; unpack libapache2-mod-security2 there", file.display());
        return;
    }
    let ruleset = Ruleset::builder()
        .file(file)
        .build()
        .unwrap_or_else(|errors| panic!("{} problems:\n{errors}", errors.len()));
    assert!(ruleset.rules().count() >= 6);
    let unspoken: Vec<_> =
        ruleset.notices().iter().filter(|notice| !notice.contains("has no effect: ")).collect();
    assert!(unspoken.is_empty(), "{unspoken:?}");
}
