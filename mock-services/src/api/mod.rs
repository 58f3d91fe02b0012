//! The wire contract, one file for each service.
//!
//! A service is a plain function from a [`Call`] to a [`Reply`] or a [`Problem`](crate::reply::Problem),
//! listed in [`answer`]. Paths are matched before methods, so that a wrong method is a 405 and not a 404.

mod accounts;
mod carts;
mod catalog;
mod identity;
mod inventory;
mod orders;
mod pricing;
mod promotions;
mod recommendations;
mod reviews;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use crate::{call::Call, data::World, identity::Issuer, reply::Reply, service::Service};

/// Everything the services answer from.
pub(crate) struct Shop {
    world: World,
    carts: carts::Carts,
    pub(crate) issuer: Arc<Issuer>,
}

impl Shop {
    pub(crate) fn new(seed: u64, issuer: Arc<Issuer>) -> Self {
        Self { world: World::new(seed), carts: carts::Carts::default(), issuer }
    }

    /// Whether the accounts service knows this user.
    pub(crate) fn knows_user(&self, id: &str) -> bool {
        self.world.user(id).is_some()
    }
}

/// The answer of one service to one request.
pub(crate) fn answer(service: Service, shop: &Shop, request: &Request<Bytes>) -> Reply {
    let call = &Call::new(request);
    let world = &shop.world;
    let answer = match service {
        Service::Catalog => catalog::answer(call, world),
        Service::Pricing => pricing::answer(call, world),
        Service::Inventory => inventory::answer(call, world),
        Service::Reviews => reviews::answer(call, world),
        Service::Recommendations => recommendations::answer(call, world),
        Service::Accounts => accounts::answer(call, world),
        Service::Carts => carts::answer(call, world, &shop.carts),
        Service::Orders => orders::answer(call, world),
        Service::Promotions => promotions::answer(call, world),
        Service::Identity => identity::answer(call, shop),
    };
    answer.unwrap_or_else(Reply::from).conditional(request)
}
