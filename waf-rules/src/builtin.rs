//! The built-in rule set: its files, embedded, in load order. The list is written out, so that what
//! is built does not depend on what lies in a folder; a test compares the two.

/// Rule files in the order they are read.
pub(crate) const RULES: &[(&str, &str)] = &[
    ("000-init.conf", include_str!("../rules/000-init.conf")),
    ("110-protocol.conf", include_str!("../rules/110-protocol.conf")),
    ("120-scanner.conf", include_str!("../rules/120-scanner.conf")),
    ("130-traversal.conf", include_str!("../rules/130-traversal.conf")),
    ("131-inclusion.conf", include_str!("../rules/131-inclusion.conf")),
    ("140-command.conf", include_str!("../rules/140-command.conf")),
    ("141-windows.conf", include_str!("../rules/141-windows.conf")),
    ("145-template.conf", include_str!("../rules/145-template.conf")),
    ("150-php.conf", include_str!("../rules/150-php.conf")),
    ("151-java.conf", include_str!("../rules/151-java.conf")),
    ("152-node.conf", include_str!("../rules/152-node.conf")),
    ("153-script.conf", include_str!("../rules/153-script.conf")),
    ("160-xss.conf", include_str!("../rules/160-xss.conf")),
    ("170-sqli.conf", include_str!("../rules/170-sqli.conf")),
    ("171-nosql.conf", include_str!("../rules/171-nosql.conf")),
    ("180-ldap-xpath.conf", include_str!("../rules/180-ldap-xpath.conf")),
    ("181-include.conf", include_str!("../rules/181-include.conf")),
    ("195-leakage.conf", include_str!("../rules/195-leakage.conf")),
    ("990-evaluate.conf", include_str!("../rules/990-evaluate.conf")),
];

/// Data files that the rules name in `@pmFromFile`.
pub(crate) const DATA: &[(&str, &str)] = &[];

/// Their tests, so that whoever changes what runs can prove what still fires.
#[cfg(feature = "ftw")]
pub(crate) const TESTS: &[(&str, &str)] = &[
    ("000-init.yaml", include_str!("../rules/tests/000-init.yaml")),
    ("110-protocol.yaml", include_str!("../rules/tests/110-protocol.yaml")),
    ("120-scanner.yaml", include_str!("../rules/tests/120-scanner.yaml")),
    ("130-traversal.yaml", include_str!("../rules/tests/130-traversal.yaml")),
    ("131-inclusion.yaml", include_str!("../rules/tests/131-inclusion.yaml")),
    ("140-command.yaml", include_str!("../rules/tests/140-command.yaml")),
    ("141-windows.yaml", include_str!("../rules/tests/141-windows.yaml")),
    ("145-template.yaml", include_str!("../rules/tests/145-template.yaml")),
    ("150-php.yaml", include_str!("../rules/tests/150-php.yaml")),
    ("151-java.yaml", include_str!("../rules/tests/151-java.yaml")),
    ("152-node.yaml", include_str!("../rules/tests/152-node.yaml")),
    ("153-script.yaml", include_str!("../rules/tests/153-script.yaml")),
    ("160-xss.yaml", include_str!("../rules/tests/160-xss.yaml")),
    ("170-sqli.yaml", include_str!("../rules/tests/170-sqli.yaml")),
    ("171-nosql.yaml", include_str!("../rules/tests/171-nosql.yaml")),
    ("180-ldap-xpath.yaml", include_str!("../rules/tests/180-ldap-xpath.yaml")),
    ("181-include.yaml", include_str!("../rules/tests/181-include.yaml")),
    ("195-leakage.yaml", include_str!("../rules/tests/195-leakage.yaml")),
    ("990-evaluate.yaml", include_str!("../rules/tests/990-evaluate.yaml")),
];
