;; A WASI command that writes empty lines for ever and never reads the answers.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func $write (param $fd i32) (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (memory.fill (i32.const 1024) (i32.const 10) (i32.const 65536))
    (loop $again
      (call $write (i32.const 1) (i32.const 1024) (i32.const 65536))
      (br $again))))
