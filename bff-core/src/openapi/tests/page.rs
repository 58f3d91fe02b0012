//! The document as a whole, and what it says of each operation.

use serde_json::{Value, json};

use super::{built, railway, text};

#[tokio::test]
async fn the_whole_document() {
    insta::assert_snapshot!(text(&railway()).await.0);
}

#[tokio::test]
async fn the_same_in_every_process() {
    let first = text(&railway()).await.0;
    for _ in 0..8 {
        // Extensions are kept in a map with an order of its own in every map.
        assert_eq!(first, text(&railway()).await.0);
    }
    assert!(first.ends_with("}\n"));
}

#[tokio::test]
async fn every_endpoint_is_surveyed_by_its_own_example() {
    let app = built(&railway()).await;
    let names = |endpoint: &str| app.parts(endpoint).iter().map(|part| part.name.clone()).collect::<Vec<_>>();
    assert_eq!(names("getStationPage"), ["station", "weather", "nearby"]);
    assert_eq!(names("getTimetable"), ["lines"]);
}

#[tokio::test]
async fn an_operation_says_what_it_costs_and_who_may_call_it() {
    let (_, document) = text(&railway()).await;
    let page = &document["paths"]["/v1/stations/{id}"]["get"];
    assert_eq!(page["operationId"], "getStationPage");
    assert_eq!(page["tags"], json!(["stations"]));
    assert_eq!(page["summary"], "Everything about one station");
    assert_eq!(page["x-budget-ms"], 800);
    assert!(page.get("security").is_none());

    let ticket = &document["paths"]["/tickets"]["post"];
    assert_eq!(ticket["operationId"], "addTicket");
    assert_eq!(ticket["security"], json!([{ "bearer": ["tickets:write", "stations:read"] }]));
    assert_eq!(ticket["x-roles"], json!(["clerk"]));
    let description = ticket["description"].as_str().unwrap();
    let sentence = "Needs a bearer token with the role `clerk` and the scopes `tickets:write` and `stations:read`.";
    assert!(description.contains(sentence), "{description}");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["bearerFormat"], "JWT");
}

#[tokio::test]
async fn parts_can_be_chosen_where_the_answer_can_do_without() {
    let (_, document) = text(&railway()).await;
    let parameters = document["paths"]["/v1/stations/{id}"]["get"]["parameters"].as_array().unwrap();
    let parts = parameters.iter().find(|parameter| parameter["name"] == "parts").unwrap();
    assert_eq!(parts["schema"]["items"]["enum"], json!(["weather", "nearby"]));
    assert_eq!((&parts["style"], &parts["explode"]), (&json!("form"), &json!(false)));
    let has = |document: &Value, path: &str, method: &str, name: &str| {
        let parameters = document["paths"][path][method]["parameters"].as_array().cloned().unwrap_or_default();
        parameters.iter().any(|parameter| parameter["name"] == name)
    };
    assert!(!has(&document, "/tickets", "post", "parts"));
    assert!(!has(&document, "/timetable", "get", "partial"));

    let (_, strict) = text(&railway().strict()).await;
    assert!(has(&strict, "/timetable", "get", "partial"));
    assert!(!has(&strict, "/tickets", "post", "partial"));
}

#[tokio::test]
async fn every_problem_that_can_occur_is_there() {
    let (_, document) = text(&railway()).await;
    let statuses = |path: &str, method: &str| -> Vec<String> {
        let responses = document["paths"][path][method]["responses"].as_object().unwrap();
        for (status, response) in responses {
            assert!(!response["description"].as_str().unwrap().is_empty());
            let kind = response["content"].as_object().map(|content| content.keys().next().unwrap().as_str());
            let expected = match status.as_bytes()[0] {
                b'2' => Some("application/json"),
                b'3' => None,
                _ => Some("application/problem+json"),
            };
            assert_eq!(kind, expected, "{status}");
        }
        let mut statuses: Vec<String> = responses.keys().cloned().collect();
        statuses.sort();
        statuses
    };
    let page = ["200", "304", "400", "401", "404", "414", "500", "502", "503", "504"];
    assert_eq!(statuses("/v1/stations/{id}", "get"), page);
    let timetable = ["200", "304", "400", "401", "403", "414", "500", "502", "503", "504"];
    assert_eq!(statuses("/timetable", "get"), timetable);
    let ticket = [
        "201", "400", "401", "403", "404", "408", "409", "412", "413", "414", "415", "422", "500", "502", "503", "504",
    ];
    assert_eq!(statuses("/tickets", "post"), ticket);
}

#[tokio::test]
async fn two_types_of_one_name_are_refused() {
    mod other {
        use utoipa::ToSchema;

        #[derive(serde::Serialize, ToSchema)]
        pub(super) struct Ticket {
            colour: String,
        }

        #[utoipa::path(get, path = "/colours", responses((status = OK, body = Ticket)))]
        pub(super) async fn colours() -> crate::Json<Ticket> {
            crate::Json(Ticket { colour: "red".to_owned() })
        }
    }
    let bff = railway().page(crate::routes!(other::colours), crate::Policy::public().without_meta());
    let error = bff.build(&crate::config::Settings::default(), super::no_network).await.unwrap_err();
    assert!(format!("{error:?}").contains("called Ticket"), "{error:?}");
}

#[cfg(feature = "docs")]
#[tokio::test]
async fn the_explorer_is_in_the_binary() {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    let app = built(&railway()).await;
    let get = async |path: &str| {
        let request = http::Request::get(path).header("host", "bff.test").body(axum::body::Body::empty()).unwrap();
        let response = app.public.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        (head, String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned())
    };
    let (head, _) = get("/docs").await;
    assert!(head.status.is_redirection());
    assert_eq!(head.headers["location"], "/docs/");
    let (head, page) = get("/docs/").await;
    assert_eq!(head.status, 200);
    assert!(page.contains("<title>BFF for railway</title>"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    let (head, script) = get("/docs/swagger-initializer.js").await;
    assert_eq!(head.status, 200);
    assert!(script.contains("\"/openapi.json\"") && script.contains("\"validatorUrl\": \"none\""), "{script}");
    let (head, problem) = get("/docs/nothing.js").await;
    assert_eq!(head.status, 404);
    assert!(problem.contains("/problems/no-such-endpoint"), "{problem}");
}
