//! Send junk over UDP at a rate, for `benchmarks/abuse.py`: noise, queries cut short, responses, pointers that lead nowhere.
//!
//! `flood 127.0.0.1:5300 200000 5`: address (of this host), packets per second, seconds. Prints how many were sent.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, rate, seconds] = arguments.as_slice() else {
        return Err("flood ADDRESS RATE SECONDS".into());
    };
    let (address, rate, seconds): (SocketAddr, u64, u64) = (address.parse()?, rate.parse()?, seconds.parse()?);
    if !address.ip().is_loopback() || seconds > 60 {
        return Err("only for addresses of the loopback interface, and for a minute at most".into());
    }
    let sockets: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut packet = [0_u8; 512];
    let (mut sent, mut state) = (0_u64, 0x9E37_79B9_7F4A_7C15_u64);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        let due = began.elapsed().as_micros() as u64 * rate / 1_000_000;
        while sent < due {
            for octets in packet.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                octets.copy_from_slice(&state.to_le_bytes());
            }
            // One in two looks like a query, so that it is parsed and answered.
            if state & 1 > 0 {
                packet[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
                packet[12..14].copy_from_slice(&[1, b'x']);
            }
            let size = state as usize >> 8 & 0x7F;
            // What the system does not take is not sent; there is no answer to wait for.
            if sockets[sent as usize % sockets.len()].send_to(&packet[..size], address).is_err() {
                std::thread::yield_now();
            }
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    println!("{sent}");
    Ok(())
}
