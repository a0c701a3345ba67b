//! HTTP of the fake servers.

use std::future::pending;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::HeaderName;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Error, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// A request with its body.
pub type Request = hyper::Request<Bytes>;

/// What a fake server does with a request.
#[derive(Clone)]
pub enum Answer {
    /// Sends an answer and keeps the connection open.
    Http(Response<Full<Bytes>>),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Sends nothing and keeps the connection open.
    Silence,
}

/// An answer with a Content-Length.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let head = Response::builder().status(status);
    let head = headers.iter().fold(head, |head, (name, value)| head.header(*name, *value));
    Answer::Http(head.body(Full::new(body.into())).expect("a valid answer"))
}

/// Answers the requests of a connection until either side closes it.
pub async fn serve<F: Future<Output = Answer>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    decide: &impl Fn(Request) -> F,
) {
    let (send_raw, mut raw) = mpsc::unbounded_channel();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let send_raw = send_raw.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            match decide(Request::from_parts(head, body)).await {
                Answer::Http(response) => return Ok::<_, Error>(response),
                Answer::Raw(bytes) => send_raw.send(bytes).expect("the connection is open"),
                Answer::Silence => {}
            }
            pending().await
        }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = &mut connection => {}
        Some(bytes) = raw.recv() => {
            let mut stream = connection.into_parts().io.into_inner();
            // The relay may have hung up.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
        }
    }
}

/// The names of a request's headers, sorted.
pub fn header_names(request: &Request) -> String {
    let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}
