//! Every finding the gateway can make. A code is at once metric label, event field, `code` member of
//! the problem answer, heading in `docs/findings.md` and name of an end-to-end test.

use http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $stage:ident, $status:literal, $title:literal;)+) => {
        /// A stable finding code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// Every code, in the order of the pipeline.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The stable name, `stage.condition`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)+ }
            }

            /// The stage that makes it.
            pub const fn stage(self) -> Stage {
                match self { $(Code::$variant => Stage::$stage,)+ }
            }

            /// Status of the answer when the finding is enforced.
            pub fn status(self) -> StatusCode {
                let code: u16 = match self { $(Code::$variant => $status,)+ };
                StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Short text for the client (RFC 9457 `title`).
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    /// The request line is not `method SP target SP version` (RFC 9112 §3).
    NormaliseRequestLine = "normalise.request_line", Normalise, 400, "malformed request line";
    /// A version other than HTTP/1.0, HTTP/1.1 and HTTP/2.
    NormaliseVersion = "normalise.version", Normalise, 505, "HTTP version not supported";
    /// A field line that can be read two ways: obs-fold, bare CR or LF, NUL, space before the colon (RFC 9112 §5).
    NormaliseHeader = "normalise.header", Normalise, 400, "malformed header field";
    /// Content-Length with Transfer-Encoding, differing lengths, a coding other than `chunked` (RFC 9112 §6).
    NormaliseFraming = "normalise.framing", Normalise, 400, "ambiguous message framing";
    /// Host missing, repeated, empty or malformed (RFC 9112 §3.2).
    NormaliseHost = "normalise.host", Normalise, 400, "invalid host";
    /// Illegal bytes, a fragment or broken percent-encoding in the target (RFC 3986 §2).
    NormaliseTarget = "normalise.target", Normalise, 400, "invalid request target";
    /// Dot segments that climb out, an encoded slash or backslash, an encoded NUL.
    NormalisePath = "normalise.path", Normalise, 400, "ambiguous path";
    /// The head is larger than the listener's bound (RFC 6585 §5).
    NormaliseHeadTooLarge = "normalise.head_too_large", Normalise, 431, "request head too large";
    /// The head did not arrive in time.
    NormaliseHeadTimeout = "normalise.head_timeout", Normalise, 408, "request head timeout";

    /// The client's address is on a deny list, or not on the allow list.
    ScreenListed = "screen.listed", Screen, 403, "address not allowed";
    /// The client's address is banned for a time.
    ScreenBanned = "screen.banned", Screen, 403, "address banned";

    /// No route has this host and path.
    RouteNotFound = "route.not_found", Route, 404, "no such route";
    /// The path exists, the method does not; the answer carries `Allow`.
    RouteMethod = "route.method_not_allowed", Route, 405, "method not allowed";

    /// A rate limit is used up (RFC 6585 §4).
    RatelimitExceeded = "ratelimit.exceeded", Ratelimit, 429, "too many requests";
    /// The store is lost and the limit says `on_store_loss: closed`.
    RatelimitStoreLost = "ratelimit.store_lost", Ratelimit, 503, "rate limit store unavailable";

    /// The route wants a token and there is none (RFC 6750 §3.1: no error code).
    IdentityMissing = "identity.missing", Identity, 401, "authentication required";
    /// More than one credential was sent (RFC 6750 §2).
    IdentityAmbiguous = "identity.ambiguous", Identity, 400, "more than one credential";
    /// Not a compact signed JWT, or JSON that can be read two ways.
    IdentityMalformed = "identity.malformed", Identity, 401, "invalid token";
    /// `alg` is not one of the issuer's, or not the one of the key.
    IdentityAlgorithm = "identity.algorithm", Identity, 401, "invalid token";
    /// No key of the issuer has this `kid`.
    IdentityKey = "identity.key", Identity, 401, "invalid token";
    /// The signature does not verify.
    IdentitySignature = "identity.signature", Identity, 401, "invalid token";
    /// `iss` is not an issuer of this route.
    IdentityIssuer = "identity.issuer", Identity, 401, "invalid token";
    /// `aud` holds none of ours.
    IdentityAudience = "identity.audience", Identity, 401, "invalid token";
    /// `exp` has passed.
    IdentityExpired = "identity.expired", Identity, 401, "token expired";
    /// `nbf` or `iat` lies in the future.
    IdentityNotYetValid = "identity.not_yet_valid", Identity, 401, "token not yet valid";
    /// A required claim is absent or has the wrong type; or another kind of token (RFC 9068 §4).
    IdentityClaims = "identity.claims", Identity, 401, "invalid token";
    /// No key set of the issuer was ever loaded.
    IdentityUnavailable = "identity.unavailable", Identity, 503, "identity keys unavailable";

    /// A required scope is missing (RFC 6750 §3.1 `insufficient_scope`).
    PolicyScope = "policy.scope", Policy, 403, "insufficient scope";
    /// A required role is missing.
    PolicyRole = "policy.role", Policy, 403, "insufficient role";
    /// A claim does not have the required value.
    PolicyClaim = "policy.claim", Policy, 403, "claim not allowed";
    /// A stronger or more recent authentication is needed (RFC 9470).
    PolicyStepUp = "policy.step_up", Policy, 401, "stronger authentication required";

    /// The rules scored the request at or above the threshold, or a rule denied it.
    WafBlocked = "waf.blocked", Waf, 403, "request blocked";
    /// The body is larger than what is inspected, and the profile says `over: reject`.
    WafBodyTooLarge = "waf.body_too_large", Waf, 413, "request body too large";
    /// The body did not arrive in time.
    WafBodyTimeout = "waf.body_timeout", Waf, 408, "request body timeout";
    /// The body's coding or framing could not be read.
    WafBodyUnreadable = "waf.body_unreadable", Waf, 400, "request body unreadable";
    /// The rules scored the service's answer at or above the threshold, or a rule denied it.
    WafResponseBlocked = "waf.response_blocked", Waf, 403, "response blocked";
    /// The answer is larger than what is inspected, and the profile says `response.over: reject`.
    WafResponseTooLarge = "waf.response_too_large", Waf, 502, "response too large";
    /// The answer is not coded as its head says, or in a way that is not decoded, and the profile says
    /// `response.over: reject`.
    WafResponseUnreadable = "waf.response_unreadable", Waf, 502, "response unreadable";
    /// Inspection used up its processor budget before the end.
    WafBudget = "waf.budget", Waf, 403, "request too costly to inspect";

    /// No endpoint of the service is healthy.
    UpstreamUnavailable = "upstream.unavailable", Upstream, 503, "service unavailable";
    /// No connection to the service could be made.
    UpstreamConnect = "upstream.connect", Upstream, 502, "service unreachable";
    /// The service did not answer in time.
    UpstreamTimeout = "upstream.timeout", Upstream, 504, "service timeout";
    /// The service broke off or answered with something that is not HTTP.
    UpstreamBroken = "upstream.broken", Upstream, 502, "bad answer from service";

    /// A bug of ours: a stage panicked. The request is denied.
    EdgePanic = "edge.panic", Edge, 500, "internal error";
}

/// A step of the pipeline, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Edge,
    Normalise,
    Screen,
    Route,
    Ratelimit,
    Identity,
    Policy,
    Waf,
    Upstream,
}

impl Stage {
    pub const ALL: [Stage; 9] = [
        Stage::Edge,
        Stage::Normalise,
        Stage::Screen,
        Stage::Route,
        Stage::Ratelimit,
        Stage::Identity,
        Stage::Policy,
        Stage::Waf,
        Stage::Upstream,
    ];

    /// Name in events, metrics and documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Edge => "edge",
            Stage::Normalise => "normalise",
            Stage::Screen => "screen",
            Stage::Route => "route",
            Stage::Ratelimit => "ratelimit",
            Stage::Identity => "identity",
            Stage::Policy => "policy",
            Stage::Waf => "waf",
            Stage::Upstream => "upstream",
        }
    }
}
