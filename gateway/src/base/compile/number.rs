//! Stable numbers of problems, shown as `Y014`. `docs/config.md` explains each; a test holds that list complete.
//! A number is never given a second meaning.

macro_rules! numbers {
    ($($(#[$doc:meta])+ $name:ident = $number:literal;)+) => {
        $($(#[$doc])+ pub const $name: u16 = $number;)+

        /// Every number with its constant's name, ascending.
        pub const ALL: &[(u16, &str)] = &[$(($number, stringify!($name)),)+];
    };
}

numbers! {
    /// A configuration file or directory cannot be read, is empty, or is too large.
    UNREADABLE = 1;
    /// A file is not UTF-8, or holds a NUL or another character that YAML does not allow.
    ENCODING = 2;
    /// The text is not YAML.
    SYNTAX = 3;
    /// Nested too deeply, or too many values.
    DEPTH = 4;
    /// A feature of YAML that the reader refuses: anchors, aliases, tags, merge keys, keys that are not text.
    FEATURE = 5;
    /// A key is written twice in one section.
    DUPLICATE_KEY = 6;
    /// Several documents in one file.
    DOCUMENTS = 7;
    /// Two files of a directory both write the same section or value.
    WRITTEN_TWICE = 8;

    /// `version` is not one that this binary reads.
    VERSION = 10;

    /// No service has this name.
    UNKNOWN_SERVICE = 12;
    /// No issuer has this name.
    UNKNOWN_ISSUER = 13;
    /// No limit has this name.
    UNKNOWN_LIMIT = 14;
    /// No WAF profile has this name.
    UNKNOWN_PROFILE = 15;

    /// A key that this section does not have.
    UNKNOWN_KEY = 20;
    /// A key that this section must have.
    MISSING_KEY = 21;
    /// A value of another kind than the key takes.
    WRONG_TYPE = 22;
    /// A word that is not one of those allowed.
    NOT_ALLOWED = 23;
    /// Text that does not have the form the key takes, e.g. a time without a unit.
    FORMAT = 24;
    /// A number that the key cannot hold.
    RANGE = 25;

    /// Two routes have the same id.
    DUPLICATE_ROUTE = 30;
    /// A route neither authenticates nor says why it is public.
    NO_AUTH = 32;
    /// Two settings exclude each other, or one has no effect without another.
    CONTRADICTION = 33;
    /// A value is outside its bounds, or has no meaning here.
    VALUE = 34;
    /// An address, address block or URL cannot be used.
    ADDRESS = 35;
    /// A file that the configuration names cannot be read or holds something else: certificate, key, key set, secret.
    FILE = 36;
    /// A rule file cannot be compiled.
    RULES = 37;
    /// A written exception is past its date and no longer holds.
    EXPIRED = 38;
    /// Warning: a written exception ends soon.
    EXPIRING = 39;
    /// Warning: defined and never used.
    UNUSED = 40;
    /// One of the configuration's own tests failed.
    TEST_FAILED = 41;

    /// Warning: rules that refuse look at a share of the requests only.
    SAMPLED = 42;
    /// An exception would turn the rules off, not one of them.
    EXCEPTION_TOO_BROAD = 43;
    /// Warning: something in a rule file has no effect.
    NO_EFFECT = 44;
    /// Rules ask lists in the DNS, and no name server is known.
    NAME_SERVERS = 45;

    /// A limit has neither `rate` nor `quota`, or both.
    LIMIT_KIND = 60;
    /// A quota with a `burst`.
    LIMIT_BURST = 61;
    /// A count, burst or time of a limit that cannot be kept exactly.
    LIMIT_COUNT = 62;
    /// A part of a limit's key that does not exist, is written twice, or is one too many.
    LIMIT_KEY = 63;
    /// A limit counts by a path parameter that the route does not have.
    LIMIT_PARAMETER = 64;
    /// Too many limits on one route.
    LIMITS_CROWDED = 65;
    /// `scope: shared` without a store; warning: `on_store_loss` on a limit that uses none.
    LIMIT_SCOPE = 66;
    /// A limit's name that cannot stand in an answer.
    LIMIT_NAME = 67;
    /// The store's address or password cannot be used.
    STORE_TARGET = 68;
    /// A setting of the store is outside its bounds.
    STORE_BOUND = 69;

    /// A host pattern that cannot match what it says.
    HOST_PATTERN = 201;
    /// A path pattern that cannot match what it says.
    PATH_PATTERN = 202;
    /// A method that is none, or too many different ones.
    METHOD = 203;
    /// A condition on a header field that no request could meet.
    HEADER_CONDITION = 204;
    /// Two routes match the same requests and none is more specific.
    ROUTE_CONFLICT = 205;
    /// Warning: other routes leave nothing to this one.
    UNREACHABLE = 206;
    /// Too many routes that only methods and header fields tell apart.
    ROUTES_CROWDED = 207;

    /// Warning: an allowed block that `deny` holds wholly.
    SHADOWED_BLOCK = 221;
    /// Warning: a block with host bits, which are cut off.
    HOST_BITS = 222;

    /// A service has no endpoint or too many, or one that is none.
    ENDPOINT = 241;
    /// A time of a service outside its bounds.
    TIME = 243;
    /// TLS to a service cannot be set up as written.
    SERVICE_TLS = 244;
    /// A health check cannot be made as written.
    HEALTH = 245;

    /// `issuer` is empty or holds white space.
    ISSUER = 300;
    /// No audience, or an empty one.
    AUDIENCES = 301;
    /// `jwks` is no allowed address.
    JWKS_ADDRESS = 302;
    /// A key set file cannot be read or holds no usable key.
    JWKS_FILE = 303;
    /// No algorithm, or one twice.
    ALGORITHMS = 304;
    /// A value of `mfa` that cannot stand in a challenge.
    MFA_VALUE = 305;
    /// `skew` is outside its bounds.
    SKEW = 306;
    /// `refresh` is outside its bounds.
    REFRESH = 307;
    /// Two issuers with the same value of `iss`.
    DUPLICATE_ISSUER = 308;
    /// A path in `roles_from` cannot be read.
    ROLES_PATH = 310;

    /// A header field that must not hold a claim.
    FORWARD_FIELD = 320;
    /// A path in `forward.claims` cannot be read.
    FORWARD_PATH = 321;
    /// Two fields of `forward.claims` are the same.
    FORWARD_TWICE = 322;

    /// A scope with characters that no scope can have.
    SCOPE = 340;
    /// `optional: true` beside what an anonymous request can never meet.
    OPTIONAL_WITH_DEMANDS = 341;
    /// `mfa: true`, and an issuer does not say when a token is multi-factor.
    MFA_UNMAPPED = 342;
    /// A path in `auth.claims` cannot be read.
    CLAIM_PATH = 343;
    /// A claim without allowed values.
    CLAIM_VALUES = 344;
    /// `max_age` is not whole seconds, or below one.
    MAX_AGE = 345;
    /// An empty role.
    ROLE = 346;
}
