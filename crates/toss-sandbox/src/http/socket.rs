//! A handle on the connection's socket, so that a fault can close it without an answer.

use std::{any::Any, net::Shutdown};

use actix_web::{HttpRequest, dev::Extensions};

/// A second descriptor of a connection's socket. It costs one descriptor per open connection.
#[derive(Debug)]
struct Socket(std::net::TcpStream);

/// Keeps a handle on each new connection for the reset faults: pass it to
/// [`HttpServer::on_connect`](actix_web::HttpServer::on_connect) of a server that mounts
/// [`Sandbox::routes`](crate::Sandbox::routes). Where it cannot be had (TLS, no Unix, no
/// descriptor left), resets degrade to an answer that is cut off after its headers.
pub fn capture_socket(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>()
        && let Some(socket) = duplicate(stream)
    {
        data.insert(socket);
    }
}

#[cfg(unix)]
fn duplicate(stream: &actix_web::rt::net::TcpStream) -> Option<Socket> {
    use std::os::fd::AsFd;

    let descriptor = stream.as_fd().try_clone_to_owned().ok()?;
    Some(Socket(descriptor.into()))
}

#[cfg(not(unix))]
fn duplicate(_stream: &actix_web::rt::net::TcpStream) -> Option<Socket> {
    None
}

/// Closes the connection of a request in both directions; false if that is not possible.
pub(crate) fn close(request: &HttpRequest) -> bool {
    // An error means that the peer has closed it already, which is as good.
    request
        .conn_data::<Socket>()
        .map(|socket| socket.0.shutdown(Shutdown::Both))
        .is_some()
}
