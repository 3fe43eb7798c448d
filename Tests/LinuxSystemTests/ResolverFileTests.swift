import Testing
import Wire

@testable import LinuxSystem

@Suite struct ResolverFileTests {
    @Test func readsWhatResolvConfAllows() throws {
        let file = ResolverFile.parse(
            """
            # made by hand
            ; and by others
            nameserver 192.0.2.1
            nameserver   2001:db8::53   # behind a keyword
            \tnameserver fe80::1%eth0
            nameserver 192.0.2.1
            nameserver not-an-address
            nameserver
            domain old.example
            search A.example. b.example
            options ndots:3 timeout:99 attempts:0 rotate edns0 timeout
            sortlist 192.0.2.0
            """)
        #expect(file.nameservers.map(\.address.description) == ["192.0.2.1", "2001:db8::53", "fe80::1"])
        #expect(file.nameservers.map(\.zone) == [nil, nil, "eth0"])
        #expect(file.servers.count == 3)
        #expect(file.search == ["a.example", "b.example"])
        #expect(file.ndots == 3)
        #expect(file.timeout == 30)
        #expect(file.attempts == 1)
    }

    @Test func theLastOfDomainAndSearchCounts() {
        #expect(ResolverFile.parse("search a b\ndomain c\n").search == ["c"])
        #expect(ResolverFile.parse("domain c\r\nsearch a b\r\n").search == ["a", "b"])
    }

    @Test func isBounded() {
        let many = (0..<300).map { "nameserver 10.0.\($0 / 256).\($0 % 256)" }.joined(separator: "\n")
        #expect(ResolverFile.parse(many).servers.count == ResolverFile.maximumServers)
        let domains = "search " + (0..<1_000).map { "d\($0).example" }.joined(separator: " ")
        #expect(ResolverFile.parse(domains).search.count == ResolverFile.maximumSearch)
    }

    @Test func saysThatThereIsNone() {
        #expect(throws: SystemError(call: "open", errno: 2, context: "/nonexistent/resolv.conf")) {
            try ResolverFile.system(path: "/nonexistent/resolv.conf")
        }
    }
}

@Suite struct HostsFileTests {
    @Test func findsNamesOfBothFamilies() throws {
        let file = HostsFile.parse(
            """
            127.0.0.1 localhost
            ::1\tlocalhost ip6-localhost # loopback
            192.0.2.7  Gate.Example.net gate
            fe80::1%lo0 scoped
            nonsense name
            192.0.2.8
            """)
        #expect(file.addresses(of: "localhost") == [IPAddress("127.0.0.1"), IPAddress("::1")].compactMap { $0 })
        #expect(file.addresses(of: "GATE.example.NET.") == [IPAddress("192.0.2.7")].compactMap { $0 })
        #expect(file.addresses(of: "gate").count == 1)
        #expect(file.addresses(of: "scoped").isEmpty)
        #expect(file.addresses(of: "name").isEmpty)
        #expect(file.count == 4)
    }

    @Test func countsWhatDoesNotFit() {
        let many = (0..<40).map { "10.0.0.\($0) pool" }.joined(separator: "\n")
        let file = HostsFile.parse(many)
        #expect(file.addresses(of: "pool").count == HostsFile.maximumAddresses)
        #expect(file.skipped == 40 - HostsFile.maximumAddresses)
    }
}
