// The loop of `taut watch` on a terminal: waits for keys, signals and news, and draws.

internal import Control
internal import LinuxSystem
internal import Model

/// Thin on purpose: what a key does is in `WatchState`, what it looks like in `WatchRenderer`.
struct WatchSession {
    let global: GlobalOptions
    /// Names that the command line gives; all targets where empty.
    let names: [String]
    let interval: Duration
    /// Ends after this many answers; 0 never.
    let count: Int
    let palette: Palette

    private enum Token: UInt64 { case keys = 1, signals }
    /// An escape key is told from a sequence by what follows within this.
    private static let escapeDelay: Int64 = 50_000_000
    /// The clock and ages in the head move on without news.
    private static let tick: Int64 = 1_000_000_000
    private static let usualSize = TerminalSize(columns: 80, rows: 24)

    func run() throws {
        let loop = try EventLoop(batch: 8)
        let feed = try WatchFeed.start(global, interval: interval, screen: loop.waker)
        defer { feed.end() }
        var screen = try LiveScreen()
        try loop.add(screen.signalNumber, for: .readable, token: Token.signals.rawValue)
        if let keys = screen.keys { try loop.add(keys, for: .readable, token: Token.keys.rawValue) }
        var state = WatchState(size: TerminalSize.current(1) ?? Self.usualSize, interval: interval)
        var decoder = KeyDecoder()
        var looks = 0
        while true {
            try take(feed.take(), &state, &looks)
            draw(&state, &screen)
            feed.want(state.drilled, columns: state.size.columns)
            if count > 0, looks >= count { return }
            var ready: [Token] = []
            let rest = decoder.isWaiting ? Self.escapeDelay : Self.tick
            try loop.wait(until: Clock.monotonic() + rest) { token, _ in
                ready += [Token(rawValue: token)].compactMap { $0 }
            }
            var keys = ready.isEmpty ? decoder.flush() : []
            for token in ready {
                switch token {
                case .keys:
                    guard let bytes = screen.readKeys() else { return }
                    keys += decoder.feed(bytes)
                case .signals: if !obey(screen.readSignals(), &state, &screen) { return }
                }
            }
            for key in keys where !press(key, &state, &screen) { return }
        }
    }

    private func take(_ news: [WatchNews], _ state: inout WatchState, _ looks: inout Int) throws {
        for item in news {
            switch item {
            case .answer(let answer):
                // A wrong name is told at once; a target that goes later leaves a list without it.
                if !names.isEmpty, state.only == nil {
                    state.only = Set(try names.map { try TargetLookup.find($0, in: answer.report).target })
                }
                looks += 1
            case .failure: looks += 1
            case .detail: break
            }
            state.take(item)
        }
    }

    private func draw(_ state: inout WatchState, _ screen: inout LiveScreen) {
        state.now = Clock.monotonic()
        let renderer = WatchRenderer(palette: palette, clock: CommandContext.current.clock)
        let lines = renderer.lines(&state)
        screen.draw(lines, columns: state.size.columns)
    }

    /// False where the program is to end.
    private func press(_ key: WatchKey, _ state: inout WatchState, _ screen: inout LiveScreen) -> Bool {
        switch state.handle(key) {
        case .none: break
        case .quit: return false
        case .redraw: screen.forget()
        case .suspend:
            screen.suspend(wholeGroup: true)
            resize(&state, &screen)
        }
        return true
    }

    private func obey(
        _ signals: [LiveScreen.Signal], _ state: inout WatchState, _ screen: inout LiveScreen
    ) -> Bool {
        for signal in signals {
            switch signal {
            case .end: return false
            case .stop: screen.suspend(wholeGroup: false)
            // Somebody stopped us without asking, and the shell had the terminal meanwhile.
            case .resume: screen.enter()
            case .resize: break
            }
            resize(&state, &screen)
        }
        return true
    }

    private func resize(_ state: inout WatchState, _ screen: inout LiveScreen) {
        state.size = TerminalSize.current(1) ?? Self.usualSize
        state.settle()
        screen.forget()
    }
}
