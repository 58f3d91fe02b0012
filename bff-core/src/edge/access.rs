//! Who is asking, and whether they may.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use tower::{Service, ServiceExt};

use super::Door;
use super::arrive::Refused;
use crate::context::Context;
use crate::error::{Error, Kind, Result};

/// Who may call a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Only with credentials.
    pub needs_identity: bool,
    /// The subject must have all of these roles.
    pub roles: Vec<Cow<'static, str>>,
    /// The program must have been granted all of these scopes.
    pub scopes: Vec<Cow<'static, str>>,
    /// What is done about credentials, where they are not needed.
    pub credentials: Credentials,
}

/// What is done about the credentials that a client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// They are checked; those that do not hold are a 401, wherever they are sent.
    #[default]
    Checked,
    /// Nobody looks at them.
    Ignored,
    /// Nobody looks at them here, but the upstream does.
    PassedOn,
}

pub(super) async fn authenticate<Inner>(
    door: Arc<Door>,
    mut request: Request,
    inner: Inner,
) -> Result<Response, Infallible>
where
    Inner: Service<Request, Response = Response, Error = Infallible>,
{
    if let Some(refused) = request.extensions_mut().remove::<Refused>() {
        return Ok(refused.into_response());
    }
    let Some(context) = request.extensions().get::<Arc<Context>>().cloned() else {
        return Ok(Error::internal("a request that never arrived").into_response());
    };
    let credentials = door.access.credentials;
    if credentials == Credentials::Checked
        && let Err(refusal) = admit(&door, &context, request.headers()).await
    {
        return Ok(refusal.into_response());
    }
    if credentials == Credentials::PassedOn {
        return inner.oneshot(request).await;
    }
    // Nobody below needs the credentials, and nobody below can leak what is not there.
    request.headers_mut().remove(header::AUTHORIZATION);
    inner.oneshot(request).await
}

async fn admit(door: &Door, context: &Context, headers: &HeaderMap) -> Result<()> {
    let access = &door.access;
    match door.authenticator.authenticate(headers).await {
        Ok(Some(identity)) => context.identify(Ok(identity)),
        Ok(None) => {}
        // Whoever sends a bad token is told so; but that the issuer is down must not cost a page that anybody may see.
        // Its parts for one identity fail.
        Err(error) if error.kind() == Kind::IssuerUnavailable && !access.needs_identity => {
            context.identify(Err(error));
        }
        Err(error) => return Err(error),
    }
    if !access.needs_identity {
        return Ok(());
    }
    // The answer is for those who may see it, whatever its parts say.
    let Some(identity) = context.identity()? else {
        return Err(Error::new(Kind::Unauthenticated).with_detail("send a bearer token"));
    };
    if let Some(role) = access.roles.iter().find(|role| !identity.has_role(role.as_ref())) {
        return Err(Error::new(Kind::NotAllowed).with_detail(format!("the role {role} is needed")));
    }
    if let Some(scope) = access.scopes.iter().find(|scope| !identity.has_scope(scope.as_ref())) {
        return Err(Error::new(Kind::NotAllowed).with_detail(format!("the scope {scope} is needed")));
    }
    Ok(())
}
