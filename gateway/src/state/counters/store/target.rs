//! Where the store is.

use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo};

/// A store, ready to connect to.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreTarget {
    host: Box<str>,
    port: u16,
    database: i64,
    pub password: Option<Box<str>>,
    /// Longest wait of one request.
    pub deadline: Duration,
    /// Gateways that share it; at least 1.
    pub expected_gateways: u32,
}

impl StoreTarget {
    /// Reads `redis://HOST:PORT[/DATABASE]`. Errors never repeat the text: it may hold a password.
    pub fn parse(url: &str) -> Result<StoreTarget, String> {
        const FORM: &str = "store address is not `redis://HOST:PORT[/DATABASE]`";
        if !url.starts_with("redis://") {
            return Err(FORM.into());
        }
        let info = url.into_connection_info().map_err(|_| FORM.to_owned())?;
        let settings = info.redis_settings();
        if settings.password().is_some() || settings.username().is_some() {
            return Err("store address holds credentials; they belong into `password`".into());
        }
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => Ok(StoreTarget {
                host: host.as_str().into(),
                port: *port,
                database: settings.db(),
                password: None,
                deadline: Duration::from_millis(5),
                expected_gateways: 1,
            }),
            _ => Err(FORM.into()),
        }
    }

    /// Same server, database and credentials.
    pub(super) fn same_connection(&self, other: &StoreTarget) -> bool {
        let key = |target: &StoreTarget| (target.host.clone(), target.port, target.database);
        key(self) == key(other) && self.password == other.password
    }

    pub(super) fn connection(&self) -> Result<redis::ConnectionInfo, redis::RedisError> {
        let host = self.host.to_string();
        let info = ConnectionAddr::Tcp(host, self.port).into_connection_info()?;
        let mut settings = info.redis_settings().clone().set_db(self.database);
        if let Some(password) = &self.password {
            settings = settings.set_password(&**password);
        }
        // Off by default in redis 1.x: small calls would wait for the acknowledgement of those before.
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        Ok(info.set_redis_settings(settings).set_tcp_settings(tcp))
    }
}

impl std::fmt::Display for StoreTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "redis://{}:{}/{}", self.host, self.port, self.database)
    }
}

impl std::fmt::Debug for StoreTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}
