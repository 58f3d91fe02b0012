//! Keys that could not be read, and lists that have lost elements.

use serde_json::{Value, json};

use super::*;
use crate::Rows;

impl Service {
    async fn rows(&self, ids: Vec<String>) -> Result<Fetched<Vec<Wire>>> {
        let rows = self.0.get(path!("/").query("ids", ids.join(","))).shared::<Rows<Wire>>().await?;
        Ok(rows.map(Rows::into_vec))
    }

    async fn words(&self, id: &str) -> Result<Fetched<Rows<String>>> {
        self.0.get(path!("/{}", id)).shared().await
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Coast {
    points: Vec<Beach>,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Beach {
    id: String,
    weather: Option<Text>,
    tides: Option<Vec<String>>,
}

/// The ids come from a backend, as they are.
#[utoipa::path(get, path = "/coast", responses((status = OK, body = Coast), Problems))]
async fn coast(page: Composer, up: Upstreams) -> Result<Json<Coast>> {
    compose!(page => Coast {
        points: required(async {
            let ids = up.station.0.get(path!("/ids")).shared::<Vec<String>>().await?.into_inner();
            let (weather, tides) = futures::join!(
                page.batch("points.weather", ids.clone(), |ids| up.weather.rows(ids), |wire: &Wire| wire.text.clone()),
                page.each("points.tides", ids.clone(), |id| { let tides = up.tides.clone(); async move { tides.words(&id).await } }),
            );
            let beach = |id: &String| Beach {
                id: id.clone(),
                weather: weather.view(id),
                tides: tides.get(id).map(|words| words.to_vec()),
            };
            Ok(ids.iter().map(beach).collect::<Vec<_>>())
        }),
    })
}

async fn asked(ids: &'static str, weather: Value, tides: Value) -> Value {
    let ids = Reply { body: ids.into(), ..Reply::json(&Value::Null) };
    let bff = Bff::new("coast", "1.0.0").page(routes!(coast), Policy::public().budget(1000.ms()));
    let bff = Builder::<Upstreams>::new(bff).unwrap().answers("station", ids);
    let bff = bff.answers("weather", Reply::json(&weather)).answers("tides", Reply::json(&tides));
    bff.build().await.unwrap().get("/coast").await.json()
}

fn missing(part: &str, count: u32, of: u32) -> Value {
    json!({ "part": part, "outcome": "missing", "reason": "invalid_response", "count": count, "of": of })
}

/// Two ids that were not the same look the same once they are damaged: neither gets what belongs to the other.
#[tokio::test(start_paused = true)]
async fn k02_two_damaged_keys_are_not_one() {
    let weather = json!([{ "text": "a" }, { "text": "x\u{FFFD}" }]);
    let page = asked(r#"["a", "x\ud83d", "x\ud83e"]"#, weather, json!(["low"])).await;
    let damaged = json!({ "id": "x\u{FFFD}", "weather": null, "tides": null });
    let sound = json!({ "id": "a", "weather": "a", "tides": ["low"] });
    assert_eq!(page["points"], json!([sound, damaged, damaged]));
    assert_eq!(page["meta"]["parts"], json!([missing("points.tides", 2, 3), missing("points.weather", 2, 3)]));
}

/// Nobody says of an element that there is none where its answer may be the one that was lost.
#[tokio::test(start_paused = true)]
async fn k02f_a_batch_that_has_lost_answers_says_so() {
    let page = asked(r#"["a", "b", "a"]"#, json!([7, { "text": "b" }]), json!(["low"])).await;
    let weather: Vec<&Value> = page["points"].as_array().unwrap().iter().map(|point| &point["weather"]).collect();
    assert_eq!(weather, [&Value::Null, &json!("b"), &Value::Null]);
    assert_eq!(page["meta"]["parts"], json!([missing("points.weather", 2, 3)]));
    // What is whole and says nothing of an element has none for it.
    let page = asked(r#"["a", "b"]"#, json!([{ "text": "b" }]), json!(["low"])).await;
    assert_eq!(page["meta"]["parts"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn k02f_an_element_whose_own_list_has_lost_something_is_there_and_marked() {
    let page = asked(r#"["a", "b"]"#, json!([{ "text": "a" }, { "text": "b" }]), json!(["low", 7])).await;
    assert_eq!(page["points"][0]["tides"], json!(["low"]));
    assert_eq!(page["meta"]["parts"], json!([missing("points.tides", 2, 2)]));
}
