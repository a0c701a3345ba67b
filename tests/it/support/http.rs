//! Requests as they stand on the wire.

use std::io::{self, Read};

/// One HTTP/1.1 request, byte for byte.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; `None` where the client closed it instead.
    pub fn read(stream: &mut dyn Read) -> io::Result<Option<Self>> {
        let Some(mut request) = Self::read_head(stream)? else { return Ok(None) };
        let length = request.header("content-length").map_or(0, |value| value.parse().expect("a length"));
        assert!(request.header("transfer-encoding").is_none(), "requests are sent with their length");
        request.body = vec![0; length];
        stream.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    /// The head alone; the body stays unread.
    pub fn read_head(stream: &mut dyn Read) -> io::Result<Option<Self>> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            head.push(byte[0]);
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        parsed.parse(&head).map_err(io::Error::other)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("headers are ASCII");
        Ok(Some(Self {
            method: parsed.method.expect("a method").to_owned(),
            path: parsed.path.expect("a path").to_owned(),
            headers: parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect(),
            body: Vec::new(),
        }))
    }

    /// A header that is there at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} comes once");
        value
    }
}

/// An answer as it goes over the wire, its length included.
pub fn response(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let headers: String = headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}
