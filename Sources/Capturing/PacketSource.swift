// libpcap handles: files and live interfaces. The only file that calls libpcap.

internal import CLinux
internal import CPcap
internal import Glibc
internal import LinuxSystem

/// An open libpcap handle, closed when it goes. libpcap wants one thread at a time, which the owner sees to.
@safe
struct PacketSource: ~Copyable, @unchecked Sendable {
    /// What a read came to.
    enum Reading {
        case packets(Int)
        case endOfFile
        case interrupted
        case failed(String)
    }

    /// Readings of libpcap's counters, which wrap.
    struct Statistics: Equatable {
        var kernelDrops: UInt32 = 0
        var interfaceDrops: UInt32 = 0
    }

    /// Bytes read from a file at once: sixteen times of what stdio would, and still near the processor.
    private static let fileBuffer = 64 << 10

    private let handle: OpaquePointer
    /// What stdio reads a file into; nil for interfaces.
    private let buffer: UnsafeMutableRawPointer?
    /// nil for files and for `any`.
    private var attachment: InterfaceAttachment?

    private init(_ handle: OpaquePointer, buffer: UnsafeMutableRawPointer? = nil) {
        unsafe self.handle = handle
        unsafe self.buffer = buffer
    }

    deinit {
        // Closes the stream, which uses the buffer until then.
        unsafe pcap_close(handle)
        unsafe free(buffer)
    }

    // MARK: Files

    /// Opens a pcap or pcapng file, with times in nanoseconds.
    static func open(file: String) throws(CaptureError) -> PacketSource {
        var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        // Standard input and everything that is not a plain file is read as it comes.
        guard isPlain(file), let stream = unsafe fopen(file, "rbe") else {
            let opened = unsafe pcap_open_offline_with_tstamp_precision(
                file, UInt32(PCAP_TSTAMP_PRECISION_NANO), &message)
            guard let opened = unsafe opened else {
                let kind: CaptureError.Kind = unsafe access(file, R_OK) == 0 ? .notACapture : .cannotOpen
                throw CaptureError(kind, source: file, reason: without(file, text(message)))
            }
            return unsafe PacketSource(opened)
        }
        // libpcap reads twice a packet, which would take a lock each time.
        unsafe taut_own_stream(stream)
        let buffer = unsafe malloc(fileBuffer)
        if let buffer = unsafe buffer {
            _ = unsafe setvbuf(stream, buffer.assumingMemoryBound(to: CChar.self), Int32(_IOFBF), fileBuffer)
        }
        let opened = unsafe pcap_fopen_offline_with_tstamp_precision(
            stream, UInt32(PCAP_TSTAMP_PRECISION_NANO), &message)
        guard let opened = unsafe opened else {
            unsafe fclose(stream)
            unsafe free(buffer)
            throw CaptureError(.notACapture, source: file, reason: without(file, text(message)))
        }
        return unsafe PacketSource(opened, buffer: buffer)
    }

    private static func isPlain(_ file: String) -> Bool {
        var status = stat()
        return unsafe file != "-" && stat(file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Where reading stands in the file, in bytes; 0 where that is not known.
    var position: Int64 {
        guard let stream = unsafe pcap_file(handle) else { return 0 }
        return unsafe max(0, Int64(ftello(stream)))
    }

    /// The size of the file in bytes; 0 where that is not known.
    static func size(of file: String) -> Int64 {
        var status = stat()
        return unsafe stat(file, &status) == 0 ? Int64(status.st_size) : 0
    }

    // MARK: Interfaces

    /// Opens an interface, or all of them as `any`, with a kernel filter.
    ///
    /// Of packets that pass `whole` as well, up to `CaptureFilter.wholeLength` bytes are kept, of others `snapLength`.
    /// With `isAwaited` the interface need not be there: nothing is captured until `follow` finds it.
    static func open(
        interface: String, snapLength: Int, ringSize: Int, filters: [String], whole: String? = nil,
        isAwaited: Bool = false
    ) throws(CaptureError) -> PacketSource {
        let device = isAwaited ? "any" : interface
        var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        guard let created = unsafe pcap_create(device, &message) else {
            throw CaptureError(.other, source: interface, reason: text(message))
        }
        var source = unsafe PacketSource(created)
        let longest = whole == nil ? snapLength : max(snapLength, CaptureFilter.wholeLength)
        unsafe pcap_set_snaplen(created, Int32(clamping: longest))
        unsafe pcap_set_buffer_size(created, Int32(clamping: ringSize))
        // A monitor on a mirror port must see what is not addressed to it; `any` knows no such mode.
        unsafe pcap_set_promisc(created, device == "any" ? 0 : 1)
        // How long the kernel may hold a block back: samples show within a second.
        unsafe pcap_set_timeout(created, 100)
        unsafe pcap_set_tstamp_precision(created, PCAP_TSTAMP_PRECISION_NANO)
        let status = unsafe pcap_activate(created)
        guard status >= 0 else { throw source.activationError(status, interface: interface) }
        if device == "any" {
            // Refused by kernels and libraries that lack it: version 1 then, without interface indices.
            unsafe pcap_set_datalink(created, DLT_LINUX_SLL2)
        }
        try source.attach(to: interface, isAwaited: isAwaited)
        try source.install(filters, whole: whole, snapLength: snapLength, interface: interface)
        guard unsafe pcap_setnonblock(created, 1, &message) == 0 else {
            throw CaptureError(.other, source: interface, reason: text(message))
        }
        return source
    }

    private mutating func attach(to interface: String, isAwaited: Bool) throws(CaptureError) {
        guard interface != "any" else { return }
        attachment = InterfaceAttachment(
            name: interface, interface: isAwaited ? nil : PacketInterface(named: interface, seenBy: descriptor))
        guard isAwaited else { return }
        do {
            try PacketSocket.silence(descriptor)
        } catch {
            throw CaptureError(.other, source: interface, reason: "\(error)")
        }
    }

    /// Whether the interface has not been there yet.
    var isWaiting: Bool { attachment.map { $0.interface == nil } ?? false }

    /// Whether the source was bound anew, so that reading fails where there is nothing to read.
    var hasMoved: Bool { attachment?.hasMoved ?? false }

    /// Looks for the source's interface, and binds the source to it where it has been made anew. Needs no privilege.
    mutating func follow() -> InterfaceAttachment.Following {
        let descriptor = descriptor
        return attachment?.follow(with: descriptor) ?? .attached
    }

    private func activationError(_ status: Int32, interface: String) -> CaptureError {
        let said = unsafe String(cString: pcap_geterr(handle))
        let name = unsafe String(cString: pcap_statustostr(status))
        let reason = said.isEmpty ? name : "\(name): \(said)"
        switch status {
        case PCAP_ERROR_NO_SUCH_DEVICE, PCAP_ERROR_IFACE_NOT_UP:
            return CaptureError(.noInterface, source: interface, reason: reason)
        case PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED:
            return CaptureError(.noPermission, source: interface, reason: reason)
        default: return CaptureError(.other, source: interface, reason: reason)
        }
    }

    /// Installs the first of the filters that compiles for the handle's link type; of what `whole` takes, more is kept.
    private func install(
        _ filters: [String], whole: String?, snapLength: Int, interface: String
    ) throws(CaptureError) {
        var reason = "no filter"
        for filter in filters {
            guard var program = compile(filter)?.keeping(snapLength) else {
                unsafe reason = String(cString: pcap_geterr(handle))
                continue
            }
            // Not every link type has it all; the packets then come short, as the snap length says.
            if let whole = whole.flatMap({ compile($0) }) { program = whole.orElse(program) }
            let status = unsafe program.withProgram { unsafe pcap_setfilter(handle, $0) }
            if status == 0 { return }
            unsafe reason = String(cString: pcap_geterr(handle))
        }
        throw CaptureError(.filter, source: interface, reason: "filter: \(reason)")
    }

    private func compile(_ filter: String) -> FilterProgram? {
        var program = unsafe bpf_program()
        guard unsafe pcap_compile(handle, &program, filter, 1, UInt32.max) == 0 else { return nil }
        defer { unsafe pcap_freecode(&program) }
        return unsafe FilterProgram(copying: program)
    }

    /// The descriptor to wait on; -1 where there is none.
    var descriptor: Int32 { unsafe pcap_get_selectable_fd(handle) }

    /// What the kernel and the interface lost; nil where that is not to be had.
    var statistics: Statistics? {
        var counts = pcap_stat()
        guard unsafe pcap_stats(handle, &counts) == 0 else { return nil }
        return Statistics(kernelDrops: counts.ps_drop, interfaceDrops: counts.ps_ifdrop)
    }

    // MARK: Reading

    /// The framing, and its name for messages.
    var link: (layer: LinkLayer, name: String) {
        let number = unsafe pcap_datalink(handle)
        guard let name = unsafe pcap_datalink_val_to_name(number) else {
            return (LinkLayer(number), "link type \(number)")
        }
        return unsafe (LinkLayer(number), String(cString: name))
    }

    /// Reads at most `count` packets into the engine.
    func read(_ count: Int, into engine: UnsafeMutablePointer<CaptureEngine>) -> Reading {
        let status = unsafe pcap_dispatch(
            handle, Int32(clamping: count),
            { context, header, bytes in
                guard let context = unsafe context, let header = unsafe header, let bytes = unsafe bytes
                else { return }
                let engine = unsafe UnsafeMutableRawPointer(context).assumingMemoryBound(to: CaptureEngine.self)
                let seconds = unsafe Int64(header.pointee.ts.tv_sec)
                let nanoseconds = unsafe Int64(header.pointee.ts.tv_usec)
                // libpcap has read `caplen` bytes; they stay until the next call.
                let record = unsafe UnsafeRawBufferPointer(start: bytes, count: Int(header.pointee.caplen))
                unsafe engine.pointee.process(
                    time: seconds &* 1_000_000_000 &+ nanoseconds, wireLength: Int(header.pointee.len),
                    record: record.bytes)
            }, UnsafeMutableRawPointer(engine).assumingMemoryBound(to: UInt8.self))
        unsafe engine.pointee.flush()
        switch status {
        case 1...: return .packets(Int(status))
        case 0: return .endOfFile
        case PCAP_ERROR_BREAK: return .interrupted
        default: return .failed(unsafe String(cString: pcap_geterr(handle)))
        }
    }

    // MARK: Messages

    private static func text(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// libpcap begins some messages with the file's name, which the error names already.
    private static func without(_ file: String, _ message: String) -> String {
        message.hasPrefix(file + ": ") ? String(message.dropFirst(file.count + 2)) : message
    }
}
