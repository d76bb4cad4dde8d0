//! `yett demo`: the real gateway in front of a sample service, with development tokens. Everything is in memory and on
//! loopback; nothing of it is fit for anything but trying.

mod guide;
mod sample;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Map, Value, json};

use super::run::run;
use super::{ProcessArgs, SYSTEM};
use crate::config::reload::Source;
use crate::stages::identity::dev::DevIssuer;

/// The configuration, with places for what is drawn at start.
const CONFIG: &str = include_str!("demo.yaml");
/// How long the tokens live.
const TOKEN_LIFE_S: u64 = 8 * 3600;

/// Where the demo listens.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
    /// Count limits in this Redis instead of in the process.
    #[arg(long, env = "YETT_REDIS")]
    redis: Option<String>,
    /// Also write the tokens to this file, as JSON, for load tests.
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,
    #[command(flatten)]
    process: ProcessArgs,
}

/// What a visitor needs.
struct Kit {
    listen: SocketAddr,
    admin: SocketAddr,
    admin_token: String,
    /// All scopes, multi-factor.
    full: String,
    no_scope: String,
    no_mfa: String,
}

/// Serves until told to stop.
pub(super) fn demo(args: &DemoArgs) -> ExitCode {
    if !args.listen.ip().is_loopback() || !args.admin.ip().is_loopback() {
        eprintln!("error: the demo hands out tokens and listens on loopback only");
        return ExitCode::from(SYSTEM);
    }
    match prepare(args) {
        Ok((source, kit, _folder)) => run(source, &args.process, move || guide::print(&kit)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(SYSTEM)
        }
    }
}

fn prepare(args: &DemoArgs) -> Result<(Source, Kit, Folder), String> {
    let issuer = DevIssuer::generate("demo").map_err(str::to_owned)?;
    let sample = sample::start(issuer.jwks().to_string())
        .map_err(|error| format!("sample service: {error}"))?;
    let folder = Folder::make().map_err(|error| format!("folder for the admin token: {error}"))?;
    let admin_token = random_hex()?;
    folder.write("admin-token", &admin_token).map_err(|error| format!("admin token: {error}"))?;
    let iss = format!("http://{sample}");
    let kit = Kit {
        listen: args.listen,
        admin: args.admin,
        admin_token,
        full: token(&issuer, &iss, "orders:read orders:refund", "mfa")?,
        no_scope: token(&issuer, &iss, "profile", "mfa")?,
        no_mfa: token(&issuer, &iss, "orders:read orders:refund", "pwd")?,
    };
    if let Some(path) = &args.tokens_file {
        kit.write(path).map_err(|error| format!("tokens file `{}`: {error}", path.display()))?;
    }
    let store = args
        .redis
        .as_ref()
        .map(|url| format!("store: {{ redis: \"{url}\" }}\n"))
        .unwrap_or_default();
    let text = CONFIG
        .replace("@LISTEN@", &args.listen.to_string())
        .replace("@ADMIN@", &args.admin.to_string())
        .replace("@ADMIN_TOKEN@", &folder.0.join("admin-token").display().to_string())
        .replace("@SAMPLE@", &sample.to_string())
        .replace("@STORE@", &store);
    Ok((Source::Embedded { name: "demo.yaml", text }, kit, folder))
}

fn token(issuer: &DevIssuer, iss: &str, scope: &str, acr: &str) -> Result<String, String> {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
    let claims = json!({
        "iss": iss, "aud": "demo-api", "sub": "alice", "client_id": "demo", "jti": random_hex()?,
        "iat": now, "exp": now + TOKEN_LIFE_S, "auth_time": now, "scope": scope, "acr": acr,
        "amr": if acr == "mfa" { json!(["pwd", "otp"]) } else { json!(["pwd"]) },
    });
    let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
    issuer.sign(&claims).map_err(str::to_owned)
}

fn random_hex() -> Result<String, String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Kit {
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let tokens = json!({
            "full": self.full, "no_scope": self.no_scope, "no_mfa": self.no_mfa, "admin": self.admin_token,
        });
        private_file(path, &tokens.to_string())
    }
}

/// A private folder that goes with the demo.
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Folder> {
        let path = std::env::temp_dir().join(format!("yett-demo-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }

    fn write(&self, name: &str, text: &str) -> std::io::Result<()> {
        private_file(&self.0.join(name), text)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind it holds nothing but a token that is worth nothing any more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
