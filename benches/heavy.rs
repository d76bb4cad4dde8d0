//! Honest requests of the heaviest kinds, for what measures their time and what bounds their work.

use waf_rules::Transaction;

pub(crate) struct Heavy {
    pub(crate) name: &'static str,
    content_type: &'static str,
    body: String,
    answer: String,
}

pub(crate) fn heavy() -> Vec<Heavy> {
    let request =
        |name, content_type, body| Heavy { name, content_type, body, answer: String::new() };
    let form = |text: &str| format!("subject=A+letter&text={}", text.replace(' ', "+"));
    let article = "<tr><td class=\"name\">Article 7</td><td>A plain description, with a price of 42.00</td></tr>\n";
    vec![
        request("form of 10 KB", FORM, form(&prose(10 * 1024))),
        request("form of 64 KiB", FORM, form(&prose(64 * 1024))),
        request("form of 900 fields", FORM, fields()),
        request("form of 900 settings", FORM, settings()),
        request("JSON of 900 settings", "application/json", json_settings()),
        request("JSON of 500 leaves", "application/json", leaves(125, "")),
        request("JSON of 128 KiB", "application/json", leaves(220, &prose(480))),
        request(
            "JSON text of 120 KiB",
            "application/json",
            format!("{{\"text\":\"{}\"}}", prose(120 * 1024)),
        ),
        request(
            "XML of 64 KiB",
            "application/xml",
            format!("<a><b c=\"d\">{}</b></a>", prose(64 * 1024)),
        ),
        request("text of 128 KiB", "text/plain", prose(128 * 1000)),
        Heavy {
            name: "HTML answer of 100 KB",
            content_type: "text/plain",
            body: String::new(),
            answer: format!(
                "<!doctype html><html><body><table>{}</table></body></html>",
                article.repeat(1_100)
            ),
        },
    ]
}

const FORM: &str = "application/x-www-form-urlencoded";

const WORDS: &str = "the delivery arrived on Tuesday but one of chairs was scratched and we would like to know \
    whether it can be replaced before our guests come in March my neighbour says that your \
    driver left a note with number 4711 which nobody answers please call me back or write an \
    e-mail select from union order by price group update table time where";

/// Sentences of common words, the same in every run.
fn prose(bytes: usize) -> String {
    let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let (mut text, mut seed) = (String::new(), 0x2545_f491_u64);
    let mut below = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap_or(0) % bound
    };
    while text.len() < bytes {
        text.push_str(words[below(words.len())]);
        text.push_str(match below(16) {
            0 => ", ",
            1 => ". ",
            2 => " (see above) ",
            _ => " ",
        });
    }
    text.truncate(bytes);
    text
}

fn leaves(items: usize, note: &str) -> String {
    let items: Vec<String> = (0..items)
        .map(|n| format!(r#"{{"id":{n},"name":"Item {n}","price":"{n}.99","note":"{note}"}}"#))
        .collect();
    format!(r#"{{"items":[{}]}}"#, items.join(","))
}

fn fields() -> String {
    let fields: Vec<String> = (0..900).map(|n| format!("field_{n}=value+of+number+{n}")).collect();
    fields.join("&")
}

/// What a page of settings sends: addresses, times, markup, codes.
const SETTINGS: [&str; 8] = [
    "https://example.org/shop/a-b/7?c=d&e=f#top",
    "jane.doe+news@example.com",
    "2025-11-30T21:47:51.975Z",
    "<p class='intro'>Hello <b>you</b> &amp; all</p>",
    "1,234.56",
    "550e8400-e29b-41d4-a716-446655440000",
    "It's here (or there), isn't it?",
    "on",
];

fn settings() -> String {
    let escape = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    let field = |n: usize| {
        let value: String = SETTINGS[n % SETTINGS.len()].bytes().map(escape).collect();
        format!("options[section_{}][{n}]={value}", n % 30)
    };
    (0..900).map(field).collect::<Vec<_>>().join("&")
}

fn json_settings() -> String {
    let leaf = |n: usize| format!(r#""option_{n}":"{}""#, SETTINGS[n % SETTINGS.len()]);
    format!("{{{}}}", (0..900).map(leaf).collect::<Vec<_>>().join(","))
}

impl Heavy {
    /// The whole way through a transaction. The bodies are within its bounds.
    pub(crate) fn inspect(&self, tx: &mut Transaction) {
        tx.request_line(b"POST", b"/orders/17/notes?lang=en", b"HTTP/1.1");
        let length = self.body.len().to_string();
        for (name, value) in [
            ("Host", "shop.example.com"),
            (
                "User-Agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            ),
            ("Accept", "text/html,application/json;q=0.9,*/*;q=0.8"),
            (
                "Cookie",
                "sid=7f9c2ba4e88f827d61604555853e; theme=dark; cart=3; _ga=GA1.2.17.1700000000",
            ),
            ("Content-Type", self.content_type),
            ("Content-Length", length.as_str()),
        ] {
            tx.header(name.as_bytes(), value.as_bytes());
        }
        tx.head();
        tx.body_chunk(self.body.as_bytes()).unwrap_or_default();
        tx.body();
        tx.response_line(200, b"HTTP/1.1");
        tx.response_header(b"Content-Type", b"text/html");
        tx.response_head();
        tx.response_body_chunk(self.answer.as_bytes()).unwrap_or_default();
        tx.response_body();
        tx.finish();
    }
}
