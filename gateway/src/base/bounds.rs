//! Every size and time that protects the gateway. A bound names the failure it prevents; operators change
//! those that have a key in the configuration, the rest are constants.

use std::time::Duration;

/// Largest request head, bytes. Prevents header floods; above it 431.
pub const HEAD_BYTES: usize = 32 * 1024;
/// Largest request target, bytes. Prevents quadratic work on paths.
pub const TARGET_BYTES: usize = 8 * 1024;
/// Most header fields. Prevents hash-flooding and slow iteration.
pub const HEADER_FIELDS: usize = 100;
/// Time for the whole head to arrive. Prevents slow-header attacks (Slowloris).
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a kept-alive connection may be idle.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for a TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time between two reads of a request body.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the whole inspected body to arrive. Prevents slow-body attacks.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time that the beginning of an answer is held for its rules while more of it is awaited.
pub const RESPONSE_HOLD: Duration = Duration::from_millis(500);
/// Longest time that one write to a client may take: a client that does not read must not hold a service's answer.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time for reading the rest of a body that nobody wants, so that its connection can be kept.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Streams per HTTP/2 connection to a service.
pub const UPSTREAM_HTTP2_STREAMS: usize = 100;
/// Connections per listener.
pub const CONNECTIONS: usize = 20_000;
/// Requests per connection before it is closed: spreads load after a scale-out.
pub const REQUESTS_PER_CONNECTION: u32 = 1_000;
/// Streams per HTTP/2 connection.
pub const HTTP2_STREAMS: u32 = 100;
/// Path segments that routing looks at.
pub const PATH_SEGMENTS: usize = 64;
/// Largest configuration, bytes of all its files together.
pub const CONFIG_BYTES: usize = 32 * 1024 * 1024;
/// Files of a configuration directory.
pub const CONFIG_FILES: usize = 10_000;
/// Folders in folders below a configuration directory. Prevents endless walks through symbolic links.
pub const CONFIG_FOLDERS: usize = 16;
/// Sections in sections. Prevents stack overflow in whatever walks the document.
pub const CONFIG_DEPTH: usize = 64;
/// Keys and values of one configuration file. Prevents memory many times the size of the file.
pub const CONFIG_VALUES: usize = 4_000_000;
/// Problems that one report holds.
pub const CONFIG_PROBLEMS: usize = 1_000;
/// Largest body that the gateway holds in memory for inspection, whatever the profile says.
pub const INSPECT_BYTES: usize = 16 * 1024 * 1024;
/// Text of evidence in an event, bytes.
pub const EVIDENCE_BYTES: usize = 256;
/// Largest token, bytes. Prevents costly parsing of what is never a token.
pub const TOKEN_BYTES: usize = 16 * 1024;
/// Largest JOSE header of a token, bytes, encoded.
pub const TOKEN_HEADER_BYTES: usize = 4 * 1024;
/// Deepest nesting in a token's header and claims, and in key sets.
pub const JSON_DEPTH: usize = 16;
/// Longest `sub`, `kid`, `jti` and `client_id`, bytes.
pub const TOKEN_NAME_BYTES: usize = 256;
/// Largest forgiven clock difference (FAPI 2.0 §5.3.2.1: a token 60 s ahead should be refused).
pub const TOKEN_SKEW: Duration = Duration::from_secs(60);
/// Memory for verified tokens, bytes.
pub const TOKEN_CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Largest key set or discovery document, bytes.
pub const KEY_SET_BYTES: usize = 1024 * 1024;
/// Most keys of one issuer.
pub const KEY_SET_KEYS: usize = 100;
/// Time to connect to an issuer.
pub const KEY_FETCH_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for one whole answer of an issuer.
pub const KEY_FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Shortest time between two attempts that unknown `kid`s cause. Prevents floods from reaching the issuer.
pub const KEY_FETCH_COOL_DOWN: Duration = Duration::from_secs(10);
/// Longest time a request waits for a fetch of keys.
pub const KEY_WAIT: Duration = Duration::from_secs(1);
/// Longest time keys are used without a successful load; after it the issuer is unavailable. A key that its issuer
/// withdrew while we could not hear it ends here.
pub const KEY_STALE: Duration = Duration::from_secs(24 * 3600);
/// How often key set files are read again.
pub const KEY_FILE_POLL: Duration = Duration::from_secs(5);
/// Longest value of an identity field that goes upstream, bytes. A longer one is left out.
pub const FORWARD_VALUE_BYTES: usize = 4 * 1024;
