;; A WASI command that writes a gibibyte to stderr, a line of 32 bytes after the other.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func $write (param $fd i32) (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (local $left i32)
    (local.set $left (i32.const 0))
    (loop $fill
      (i32.store8 (i32.add (i32.const 1024) (local.get $left))
        (select (i32.const 10) (i32.const 120) (i32.eq (i32.rem_u (local.get $left) (i32.const 32)) (i32.const 31))))
      (br_if $fill (i32.lt_u (local.tee $left (i32.add (local.get $left) (i32.const 1))) (i32.const 65536))))
    (local.set $left (i32.const 16384))
    (loop $again
      (call $write (i32.const 2) (i32.const 1024) (i32.const 65536))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
