//! What the demo prints: requests to paste, and what each shows.

use super::Kit;

/// Prints the guide to stdout.
pub(super) fn print(kit: &Kit) {
    let base = format!("http://{}", kit.listen);
    let admin = format!("http://{}", kit.admin);
    println!(
        "Yett demo: {base}, admin {admin}. Sample service, issuer and tokens exist only while this runs.\n"
    );
    println!("# The tokens: full, without scope, without second factor; and the admin's");
    println!("FULL={}", kit.full);
    println!("NO_SCOPE={}", kit.no_scope);
    println!("NO_MFA={}", kit.no_mfa);
    println!("ADMIN={}\n", kit.admin_token);
    for (what, command) in requests(&base, &admin) {
        println!("# {what}\n{command}\n");
    }
    println!("Stop with Ctrl-C.");
}

fn requests(base: &str, admin: &str) -> Vec<(&'static str, String)> {
    let bearer = |name: &str| format!("-H \"Authorization: Bearer ${name}\"");
    vec![
        ("200: a public route", format!("curl -i {base}/products/7")),
        ("200: a token with the scope", format!("curl -i {} {base}/v1/orders/7", bearer("FULL"))),
        ("401: no token", format!("curl -i {base}/v1/orders/7")),
        ("403: the scope is missing", format!("curl -i {} {base}/v1/orders/7", bearer("NO_SCOPE"))),
        (
            "401 step-up (RFC 9470): a second factor is needed",
            format!("curl -i -X POST {} {base}/v1/orders/7/refund", bearer("NO_MFA")),
        ),
        (
            "403: SQL injection in a query",
            format!("curl -i \"{base}/products/7?id=1%27%20OR%20%271%27=%271%27%20--%20\""),
        ),
        (
            "403: SQL injection in a JSON body",
            format!(
                "curl -i {base}/comments -H 'Content-Type: application/json' \
                 -d '{{\"text\":\"x'\"'\"' UNION SELECT password FROM users -- \"}}'"
            ),
        ),
        (
            "429: a burst of eight, five may come at once",
            format!(
                "for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -w '%{{http_code}}\\n' {base}/burst; done"
            ),
        ),
        (
            "Metrics",
            format!(
                "curl -s -H \"Authorization: Bearer $ADMIN\" {admin}/metrics | grep ^yett_requests"
            ),
        ),
        (
            "The event of the last request",
            format!("curl -s -H \"Authorization: Bearer $ADMIN\" \"{admin}/events?last=1\""),
        ),
    ]
}
