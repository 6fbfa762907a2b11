//! The log of one container of a Pod, followed to its end.

use std::borrow::Cow;

use boathook_core::names::Target;
use boathook_engine::cluster::ClusterError;
use http::Method;

use crate::body::Lines;
use crate::error;
use crate::request::{Place, Request};
use crate::transport::Transport;

/// Longer lines are cut: nobody reads them, and a program must not fill our memory by leaving out line breaks.
const LINE_LIMIT: usize = 64 * 1024;

/// # Errors
/// The API's refusal, or a connection that broke: lines that came before it were handed over.
pub(crate) async fn follow(
    transport: &Transport,
    pod: &Target,
    container: &str,
    line: &mut (dyn FnMut(String) + Send),
) -> Result<(), ClusterError> {
    let query = vec![("container", Cow::Borrowed(container)), ("follow", Cow::Borrowed("true"))];
    let request =
        Request::new(Method::GET, Place::Log(pod), &query).map_err(|error| error::from_request(&error))?;
    let mut lines = Lines::new(transport.stream(&request).await?, LINE_LIMIT);
    while let Some(next) =
        lines.next().await.map_err(|error| error::unreachable(&error, transport.server()))?
    {
        let mut text = String::from_utf8_lossy(&next.bytes).into_owned();
        if next.cut {
            text.push('…');
        }
        line(text);
    }
    Ok(())
}
