import CommandKit

TautProgram.main()
