/// Holds a value whose mutating members are called inside `#expect`, which captures by reference only.
final class Box<Value> {
    var it: Value

    init(_ value: Value) { it = value }
}
