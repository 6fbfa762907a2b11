;; Hands over a log message of 32 MiB at once.
(module
  (import "boathook:hook/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 600)
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (call $emit (i32.const 2) (i32.const 0) (i32.const 33554432) (i32.const 0) (i32.const 0))
    unreachable)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))
