//! Whose orders one can see.

use mock_services::Service;

use crate::client::{ask, get_as, services};

#[tokio::test]
async fn ada_sees_her_orders_newest_first() {
    let running = services().await;
    let page = get_as(&running, "ada", Service::Orders, "/orders?size=100").await.json();
    let orders = page["orders"].as_array().unwrap();
    assert!(orders.len() >= 10, "{}", orders.len());
    assert!(orders.iter().all(|order| order["user_id"] == "ada"));
    let placed: Vec<_> = orders.iter().map(|order| order["placed_at"].as_str().unwrap()).collect();
    assert!(placed.is_sorted_by(|a, b| a > b), "{placed:?}");
    let first = &orders[0];
    let sum: u64 = first["lines"].as_array().unwrap().iter().map(|l| l["amount_minor"].as_u64().unwrap()).sum();
    assert_eq!(first["total_minor"], sum);
    let id = first["id"].as_str().unwrap();
    assert_eq!(get_as(&running, "ada", Service::Orders, &format!("/orders/{id}")).await.json(), *first);
}

#[tokio::test]
async fn only_the_owner_and_the_partner_of_the_tenant_see_an_order() {
    let running = services().await;
    let check = async |order: &str, headers: &[(&str, &str)], status: u16| {
        let url = format!("{}/orders/{order}", running.url(Service::Orders));
        let answer = ask("GET", &url, headers, "").await.unwrap();
        assert_eq!(answer.status, status, "{order} {headers:?}");
        answer
    };
    let caller = ("x-user-id", "acme-app");
    let partner = ("x-user-roles", "auditor, partner");
    let acme = ("x-user-tenant", "acme");
    let order = check("1001", &[caller, partner, acme], 200).await;
    assert_eq!(order.json()["tenant"], "acme");
    assert_eq!(order.header("vary"), "X-User-Id, X-User-Roles, X-User-Tenant");
    check("1001", &[caller, acme], 404).await;
    check("1001", &[caller, partner], 404).await;
    check("1001", &[caller, ("x-user-roles", "user"), acme], 404).await;
    check("1001", &[caller, partner, ("x-user-tenant", "globex")], 404).await;
    check("1007", &[caller, partner, ("x-user-tenant", "globex")], 200).await;
    // An order of no tenant belongs to no partner.
    check("1002", &[caller, partner, ("x-user-tenant", "")], 404).await;
    check("1001", &[("x-user-id", "ada")], 404).await;
}
