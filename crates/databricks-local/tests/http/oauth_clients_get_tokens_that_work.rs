use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use url::Url;

use crate::client::{Client, builder, http};

// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const CALLBACK: &str = "http://localhost:8020/callback?from=here";

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

async fn token(client: &Client, basic: Option<(&str, &str)>, form: &str) -> (u16, Value) {
    let mut request = client
        .http
        .post(format!("{}/oidc/v1/token", client.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    if let Some((id, secret)) = basic {
        request = request.basic_auth(id, Some(secret));
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn by_client_credentials_and_by_refresh() {
    let workspace = builder().oauth_client("id", "s&cret").start().unwrap();
    let mut client = Client::new(&workspace);
    let discovery = client.get("/oidc/.well-known/oauth-authorization-server").await.body;
    assert_eq!(
        discovery["token_endpoint"],
        format!("{}/oidc/v1/token", workspace.url())
    );

    let form = "grant_type=client_credentials&scope=all-apis+offline_access";
    let (status, first) = token(&client, Some(("id", "s&cret")), form).await;
    assert_eq!(
        (status, &first["token_type"], &first["expires_in"]),
        (200, &json!("Bearer"), &json!(3600))
    );
    let form = "grant_type=client_credentials&client_id=id&client_secret=s%26cret";
    let (status, second) = token(&client, None, form).await;
    assert_eq!((status, &second["scope"]), (200, &json!("all-apis")));
    assert!(second.get("refresh_token").is_none());
    let refresh = format!(
        "grant_type=refresh_token&refresh_token={}",
        first["refresh_token"].as_str().unwrap()
    );
    let (status, third) = token(&client, None, &refresh).await;
    assert_eq!(status, 200);
    for answer in [&first, &second, &third] {
        client.token = answer["access_token"].as_str().map(str::to_owned);
        client.succeed("SELECT 1", json!({})).await;
    }
    client.token = first["refresh_token"].as_str().map(str::to_owned);
    assert_eq!(
        client.get("/api/2.0/sql/warehouses").await.status,
        401,
        "a refresh token is no access token"
    );
}

#[tokio::test]
async fn and_nobody_else() {
    let workspace = builder().oauth_client("id", "secret").start().unwrap();
    let client = Client::new(&workspace);
    let grant = "grant_type=client_credentials";
    for (basic, form, status, error) in [
        (Some(("id", "wrong")), grant, 401, "invalid_client"),
        (Some(("other", "secret")), grant, 401, "invalid_client"),
        (None, grant, 401, "invalid_client"),
        (None, "grant_type=refresh_token&refresh_token=x", 400, "invalid_grant"),
        (
            Some(("id", "secret")),
            "grant_type=password",
            400,
            "unsupported_grant_type",
        ),
        (None, "", 400, "unsupported_grant_type"),
    ] {
        let (found, body) = token(&client, basic, form).await;
        assert_eq!((found, &body["error"]), (status, &json!(error)));
    }
}

#[tokio::test]
async fn by_a_browser_and_a_code() {
    let workspace = builder().start().unwrap();
    let mut client = Client::new(&workspace);
    let location = location(&client, &request(&[])).await;
    assert!(
        location
            .as_str()
            .starts_with("http://localhost:8020/callback?from=here&code=")
    );
    assert_eq!(member(&location, "state").as_deref(), Some("a b&c"));
    let code = member(&location, "code").unwrap();

    let (status, first) = token(&client, None, &redemption(&code, &[])).await;
    assert_eq!(
        (status, &first["token_type"], &first["scope"]),
        (200, &json!("Bearer"), &json!("sql offline_access"))
    );
    let refresh = first["refresh_token"].as_str().unwrap();
    let form = encode(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
    let (status, second) = token(&client, None, &form).await;
    assert_eq!(status, 200);
    let (status, again) = token(&client, None, &redemption(&code, &[])).await;
    assert_eq!((status, &again["error"]), (400, &json!("invalid_grant")), "a used code");

    let code = self::code(&client, &request(&[("scope", "sql")])).await;
    let (status, third) = token(&client, Some(("databricks-cli", "")), &redemption(&code, &[])).await;
    assert_eq!(status, 200);
    assert!(third.get("refresh_token").is_none());
    for answer in [&first, &second, &third] {
        client.token = answer["access_token"].as_str().map(str::to_owned);
        client.succeed("SELECT 1", json!({})).await;
    }
}

#[tokio::test]
async fn but_not_by_a_code_that_was_meant_for_another() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for wrong in [
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"),
        ("code_verifier", CHALLENGE),
        ("code_verifier", ""),
        ("redirect_uri", "http://localhost:8021/callback?from=here"),
        ("redirect_uri", ""),
        ("client_id", "another"),
        ("client_id", ""),
        ("code", "0123456789abcdef0123456789abcdef"),
    ] {
        let code = code(&client, &request(&[])).await;
        let (status, body) = token(&client, None, &redemption(&code, &[wrong])).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "{wrong:?}");
        assert!(body.get("access_token").is_none());

        // Who shows a code with the wrong company has used it up; a wrong code uses up nothing.
        let (status, _) = token(&client, None, &redemption(&code, &[])).await;
        assert_eq!(status, if wrong.0 == "code" { 200 } else { 400 }, "{wrong:?}");
    }

    // A verifier that is too short fits no challenge, not even its own.
    let empty = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let code = code(&client, &request(&[("code_challenge", empty)])).await;
    let (status, _) = token(&client, None, &redemption(&code, &[("code_verifier", "")])).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn and_a_code_only_goes_to_this_machine() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    for uri in ["http://127.0.0.1:1", "http://[::1]:8020/x", "http://LOCALHOST/"] {
        code(&client, &request(&[("redirect_uri", uri)])).await;
    }
    for (name, value) in [
        ("redirect_uri", ""),
        ("redirect_uri", "/callback"),
        ("redirect_uri", "http://example.com/"),
        ("redirect_uri", "http://localhost.example.com/"),
        ("redirect_uri", "http://localhost@example.com/"),
        ("redirect_uri", "http://user@localhost/"),
        ("redirect_uri", "http://localhost/#fragment"),
        ("redirect_uri", "https://localhost/"),
        ("redirect_uri", "javascript://localhost/%0aalert(1)"),
        ("client_id", ""),
    ] {
        let answer = client.get(&request(&[(name, value)])).await;
        assert_eq!(answer.status, 400, "{name}={value}");
        assert_eq!(answer.body["error"], "invalid_request", "{name}={value}");
    }
    let twice = format!("{}&client_id=databricks-cli", request(&[]));
    assert_eq!(client.get(&twice).await.body["error"], "invalid_request");

    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
    ] {
        let location = location(&client, &request(&[(name, value)])).await;
        assert_eq!(member(&location, "error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(member(&location, "state").as_deref(), Some("a b&c"));
        assert_eq!(member(&location, "code"), None);
    }
}

#[tokio::test]
async fn by_a_token_of_another_provider() {
    let workspace = builder().start().unwrap();
    let mut client = Client::new(&workspace);
    let good = jwt(r#"{"iss":"https://login.example.com","exp":4102444800}"#);
    let (status, exchanged) = token(&client, None, &exchange(&good, JWT)).await;
    assert_eq!(status, 200);
    assert_eq!(
        exchanged["issued_token_type"],
        "urn:ietf:params:oauth:token-type:access_token"
    );
    let (status, asserted) = token(&client, None, &assertion(&good)).await;
    assert_eq!(status, 200);
    for answer in [&exchanged, &asserted] {
        assert_eq!(answer["scope"], "sql offline_access");
        assert!(answer.get("refresh_token").is_none());
        client.token = answer["access_token"].as_str().map(str::to_owned);
        client.succeed("SELECT 1", json!({})).await;
    }

    for bad in [
        String::new(),
        workspace.token().to_owned(),
        jwt(r#"{"exp":1000000000}"#),
        jwt(r#"{"iss":"https://login.example.com"}"#),
        jwt(r#"{"exp":"4102444800"}"#),
        jwt("[4102444800]"),
        jwt("4102444800"),
        jwt("no JSON"),
        format!("{good}.x"),
        good.rsplit_once('.').unwrap().0.to_owned(),
        format!("{}.", good.rsplit_once('.').unwrap().0),
        good.replace('.', "!."),
    ] {
        for form in [exchange(&bad, JWT), assertion(&bad)] {
            let (status, body) = token(&client, None, &form).await;
            assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "{form}");
        }
    }
    let saml = exchange(&good, "urn:ietf:params:oauth:token-type:saml2");
    assert_eq!(token(&client, None, &saml).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn and_find_the_endpoints_by_discovery() {
    let workspace = builder().start().unwrap();
    let client = Client::new(&workspace);
    let configuration = client.get("/.well-known/databricks-config").await.body;
    assert_eq!(configuration["oidc_endpoint"], format!("{}/oidc", workspace.url()));
    assert!(configuration["account_id"].as_str().is_some_and(|id| id.len() == 36));

    let path = "/oidc/.well-known/oauth-authorization-server";
    let discovery = client.get(path).await.body;
    let endpoint = discovery["authorization_endpoint"].as_str().unwrap();
    let path = endpoint.strip_prefix(workspace.url()).unwrap();
    code(&client, &request(&[]).replace(AUTHORIZE, path)).await;
    for grant in [
        "client_credentials",
        "refresh_token",
        "authorization_code",
        EXCHANGE,
        BEARER,
    ] {
        assert!(
            discovery["grant_types_supported"]
                .as_array()
                .unwrap()
                .contains(&json!(grant))
        );
        let (_, body) = token(&client, None, &encode(&[("grant_type", grant)])).await;
        assert_ne!(body["error"], "unsupported_grant_type", "{grant}");
    }
}

const AUTHORIZE: &str = "/oidc/oauth2/v2.0/authorize";

/// An authorization request as drivers send it, with these members instead; an empty one is left out.
fn request(instead: &[(&str, &str)]) -> String {
    let usual = [
        ("response_type", "code"),
        ("client_id", "databricks-cli"),
        ("redirect_uri", CALLBACK),
        ("state", "a b&c"),
        ("scope", "sql offline_access"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    format!("{AUTHORIZE}?{}", encode(&replaced(&usual, instead)))
}

fn redemption(code: &str, instead: &[(&str, &str)]) -> String {
    let usual = [
        ("grant_type", "authorization_code"),
        ("client_id", "databricks-cli"),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    encode(&replaced(&usual, instead))
}

fn exchange(token: &str, kind: &str) -> String {
    encode(&[
        ("grant_type", EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", kind),
        ("scope", "sql offline_access"),
        ("return_original_token_if_authenticated", "true"),
    ])
}

fn assertion(token: &str) -> String {
    encode(&[
        ("grant_type", BEARER),
        ("assertion", token),
        ("scope", "sql offline_access"),
    ])
}

fn jwt(claims: &str) -> String {
    let [head, claims, signature] =
        [r#"{"alg":"RS256"}"#, claims, "nobody checks this"].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{head}.{claims}.{signature}")
}

fn replaced<'a>(usual: &[(&'a str, &'a str)], instead: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let replacement = |name| instead.iter().find(|(replaced, _)| *replaced == name);
    let members = usual.iter().map(|member| *replacement(member.0).unwrap_or(member));
    members.filter(|(_, value)| !value.is_empty()).collect()
}

fn encode(members: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(members)
        .finish()
}

/// Where an authorization request is redirected to.
async fn location(client: &Client, path: &str) -> Url {
    let http = http().redirect(Policy::none()).build().unwrap();
    let response = http.get(format!("{}{path}", client.url)).send().await.unwrap();
    assert_eq!(response.status(), 302, "{path}");
    Url::parse(response.headers()["location"].to_str().unwrap()).unwrap()
}

async fn code(client: &Client, path: &str) -> String {
    let location = location(client, path).await;
    member(&location, "code").unwrap_or_else(|| panic!("no code: {location}"))
}

fn member(url: &Url, name: &str) -> Option<String> {
    let mut members = url.query_pairs().into_owned();
    members.find(|(found, _)| found == name).map(|(_, value)| value)
}

#[tokio::test]
async fn but_none_without_a_secret_when_other_machines_can_ask() {
    let workspace = builder().listen(([0, 0, 0, 0], 0).into()).start().unwrap();
    let mut client = Client::new(&workspace);
    client.url = client.url.replace("0.0.0.0", "127.0.0.1");
    for grant in ["authorization_code", EXCHANGE, BEARER] {
        let (status, body) = token(&client, None, &format!("grant_type={grant}&client_id=me")).await;
        assert_eq!(
            (status, &body["error"]),
            (400, &json!("unsupported_grant_type")),
            "{grant}"
        );
    }
    let answer = client.get("/oidc/oauth2/v2.0/authorize?client_id=me").await;
    assert_eq!(answer.status.as_u16(), 400);
}
