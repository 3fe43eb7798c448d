// The daemon's entry; everything it does is in DaemonKit.

import ArgumentParser
import DaemonKit

DaemonCommand.main()
