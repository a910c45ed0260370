//! Sockets that never block.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

use roundel::socket::{self, Address};

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a process may have sockets");
    ours.set_nonblocking(true).expect("it is open");
    (ours, theirs)
}

#[test]
fn receiving_takes_what_has_come_and_then_would_block() {
    let (ours, mut theirs) = pair();
    let mut buffer = [0; 8];
    let error = socket::receive(&ours, &mut buffer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    theirs.write_all(b"round").unwrap();
    assert_eq!(socket::receive(&ours, &mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"round");
    drop(theirs);
    assert_eq!(socket::receive(&ours, &mut buffer).unwrap(), 0);
}

#[test]
fn what_has_arrived_is_known_before_it_is_received() {
    let (ours, mut theirs) = pair();
    assert_eq!(socket::arrived(&ours).unwrap(), 0);
    theirs.write_all(b"roundel").unwrap();
    assert_eq!(socket::arrived(&ours).unwrap(), 7);
    let mut room = [MaybeUninit::uninit(); 4];
    assert_eq!(socket::receive_new(&ours, &mut room).unwrap(), 4);
    assert_eq!(socket::arrived(&ours).unwrap(), 3);
    drop(theirs);
    assert_eq!(socket::receive_new(&ours, &mut room).unwrap(), 3);
    assert_eq!(socket::receive_new(&ours, &mut room).unwrap(), 0);
}

#[test]
fn pieces_are_sent_in_order_as_if_they_were_one() {
    let (ours, mut theirs) = pair();
    let pieces = [b"ro", b"un", b"de"].map(|piece| IoSlice::new(piece));
    assert_eq!(socket::send_pieces(&ours, &pieces).unwrap(), 6);
    assert_eq!(socket::send(&ours, b"l").unwrap(), 1);
    socket::end_sending(&ours).unwrap();
    let mut received = String::new();
    theirs.read_to_string(&mut received).unwrap();
    assert_eq!(received, "roundel");
}

#[test]
fn pieces_go_into_a_pipe_in_order() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let pieces = [b"roun", b"del."].map(|piece| IoSlice::new(piece));
    assert_eq!(socket::write_pieces(&writer, &pieces).unwrap(), 8);
    drop(writer);
    let mut received = String::new();
    reader.read_to_string(&mut received).unwrap();
    assert_eq!(received, "roundel.");
}

#[test]
fn sending_to_one_who_has_gone_is_an_error_and_no_signal() {
    let (ours, theirs) = pair();
    drop(theirs);
    let error = socket::send(&ours, b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn what_can_be_had_is_known_before() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(!socket::is_readable(&listener).unwrap());
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(socket::is_readable(&listener).unwrap());
    listener.accept().unwrap();
    assert!(!socket::is_readable(&listener).unwrap());
    drop(client);
    let (ours, theirs) = pair();
    assert!(!socket::is_readable(&ours).unwrap());
    drop(theirs);
    assert!(socket::is_readable(&ours).unwrap());
}

#[test]
fn an_accepted_connection_does_not_block_and_says_who_it_is_from() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(
        socket::accept(&listener).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, peer) = socket::accept(&listener).unwrap();
    assert_eq!(peer, Some(Address::Internet(client.local_addr().unwrap())));
    assert_eq!(
        socket::local_address(&accepted).unwrap(),
        Address::Internet(listener.local_addr().unwrap())
    );
    let error = socket::receive(&accepted, &mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_datagram_says_who_sent_it() {
    let [ours, theirs] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = Address::Internet(theirs.local_addr().unwrap());
    assert_eq!(socket::send_to(&ours, b"round", &address).unwrap(), 5);
    let mut buffer = [0; 16];
    let (received, sender) = socket::receive_from(&theirs, &mut buffer).unwrap();
    assert_eq!(&buffer[..received], b"round");
    assert_eq!(sender, Some(Address::Internet(ours.local_addr().unwrap())));
}

#[test]
fn a_socket_without_a_name_has_an_empty_path() {
    let (ours, _theirs) = pair();
    let address = socket::local_address(&ours).unwrap();
    assert_eq!(address, Address::Path(Box::default()));
}
