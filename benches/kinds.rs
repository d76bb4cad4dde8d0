//! The kinds of request that rule engines are compared on, all benign but the last.

use waf_rules::ftw;

/// A request as a client would send it. `{n}` in its texts is another number every time: what is
/// measured is a request that was never seen, from a client that was.
pub(crate) struct Request {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// The body of an HTML response.
    pub(crate) response: String,
}

/// The kinds of request that rule engines are compared on.
pub(crate) fn requests() -> Vec<Request> {
    vec![
        simple_get(),
        static_asset(),
        api_get(),
        browser_get(),
        form_post(),
        graphql_post(),
        multipart_post(),
        large_form(),
        json_leaves(),
        html_response(),
        attack(),
    ]
}

fn request(name: &'static str, method: &'static str, target: &str) -> Request {
    let headers = vec![
        ("Host", "shop.example.com".to_owned()),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".to_owned(),
        ),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned()),
    ];
    let (target, body, response) = (target.to_owned(), String::new(), String::new());
    Request { name, method, target, headers, body, response }
}

fn simple_get() -> Request {
    request("simple_get", "GET", "/products?category=shoes&page={n}")
}

fn static_asset() -> Request {
    request("static_asset", "GET", "/assets/js/app.{n}.min.js")
}

fn api_get() -> Request {
    let mut request = request("api_get_bearer", "GET", "/v1/orders/{n}?expand=items,customer");
    let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiI0MiIsImV4cCI6MTc5MDAwMDAwMH0.c2lnbmF0dXJl{n}";
    request.headers.push(("Authorization", format!("Bearer {token}")));
    request
}

fn browser_get() -> Request {
    let mut request =
        request("browser_get", "GET", "/products/{n}/reviews?sort=newest&lang=en&ref=home");
    let more = [
        ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Referer", "https://shop.example.com/products?category=shoes&page={n}"),
        (
            "Cookie",
            "sid=7f9c2ba4e88f827d6160455{n}5853e; theme=dark; cart=3; _ga=GA1.2.{n}.1700000000; lang=en",
        ),
        ("Upgrade-Insecure-Requests", "1"),
        ("Sec-Fetch-Dest", "document"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Cache-Control", "max-age=0"),
    ];
    request.headers.extend(more.map(|(name, value)| (name, value.to_owned())));
    request
}

fn form_post() -> Request {
    let body = "first_name=Jane&last_name=Miller&email=jane.miller{n}%40example.com&street={n}+High+Street&city=Leeds\
                &zip=LS1+4AP&phone=%2B44+113+{n}&comment=Please+leave+parcel+{n}+with+a+neighbour.";
    with_body(
        request("form_post", "POST", "/checkout"),
        "application/x-www-form-urlencoded",
        body.into(),
    )
}

fn graphql_post() -> Request {
    let body = r#"{"operationName":"Product","variables":{"id":"{n}","first":10},"query":"query Product($id: ID!, $first: Int) { product(id: $id) { name price reviews(first: $first) { edges { node { author text } } } } }"}"#;
    with_body(request("graphql_post", "POST", "/graphql"), "application/json", body.to_owned())
}

fn multipart_post() -> Request {
    let file = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(18);
    let part = |head: &str, content: &str| {
        format!("--boundary42\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    };
    let body = [
        part("name=\"title\"", "Holiday {n}"),
        part("name=\"file\"; filename=\"notes{n}.txt\"\r\nContent-Type: text/plain", &file),
        "--boundary42--\r\n".to_owned(),
    ];
    let content_type = "multipart/form-data; boundary=boundary42";
    with_body(request("multipart_1k_file", "POST", "/upload"), content_type, body.concat())
}

fn json_leaves() -> Request {
    let items: Vec<String> = (0..125)
        .map(|n| format!(r#"{{"id":{n},"name":"Item {{n}} {n}","price":"{n}.99","stock":true}}"#))
        .collect();
    let body = format!(r#"{{"items":[{}]}}"#, items.join(","));
    with_body(request("json_500_leaves", "POST", "/api/items"), "application/json", body)
}

fn large_form() -> Request {
    let text =
        "The quick brown fox jumps over the lazy dog, and then it rests a while. ".repeat(140);
    let body = format!("text={}{{n}}", text.replace(' ', "+"));
    with_body(request("form_10k", "POST", "/notes"), "application/x-www-form-urlencoded", body)
}

fn html_response() -> Request {
    let row = "<tr><td class=\"name\">Article {n}</td><td>A plain description of the article, with a price of 42.00</td></tr>\n";
    let mut request = request("response_100k_html", "GET", "/products?page={n}");
    request.response =
        format!("<!doctype html><html><body><table>{}</table></body></html>", row.repeat(900));
    request
}

fn attack() -> Request {
    request(
        "sqli_get",
        "GET",
        "/products?id={n}%27%20UNION%20SELECT%20password%20FROM%20users--%20-",
    )
}

fn with_body(mut request: Request, content_type: &str, body: String) -> Request {
    request.headers.push(("Content-Type", content_type.to_owned()));
    request.body = body;
    request
}

impl Request {
    /// The request with its numbers filled in.
    pub(crate) fn fresh(&self, number: u32) -> Self {
        let fill = |text: &str| text.replace("{n}", &number.to_string());
        let mut headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (*name, fill(value))).collect();
        let (target, body, response) = (fill(&self.target), fill(&self.body), fill(&self.response));
        if !body.is_empty() {
            headers.push(("Content-Length", body.len().to_string()));
        }
        Self { name: self.name, method: self.method, target, headers, body, response }
    }

    /// The same for whoever asks through `ftw`, with the answer of the service.
    pub(crate) fn with_answer(&self) -> (ftw::Request, ftw::Response) {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| ((*name).into(), value.clone().into_bytes()));
        let request = ftw::Request {
            method: self.method.into(),
            target: self.target.clone().into_bytes(),
            protocol: b"HTTP/1.1".to_vec(),
            headers: headers.collect(),
            body: self.body.clone().into_bytes(),
        };
        let html = ("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned());
        let body = self.response.clone();
        (request, ftw::Response { headers: [html].into(), body, ..ftw::Response::default() })
    }
}
