;; A WASI command: reads its first line, then five bytes that follow it, and reports them with its first variable.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $io (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size)))
  ;; One byte, to a place.
  (func $byte (param $at i32)
    (call $io (local.get $at) (i32.const 1))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))))
  (data (i32.const 1000) "{\22report\22:{\22message\22:\2212345 A=bc\22}}\n")
  (func (export "_start")
    (local $i i32)
    (loop $line
      (call $byte (i32.const 500))
      (br_if $line (i32.ne (i32.load8_u (i32.const 500)) (i32.const 10))))
    (loop $input
      (call $byte (i32.add (i32.const 1022) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $input (i32.lt_u (local.get $i) (i32.const 5))))
    (drop (call $environ_get (i32.const 2000) (i32.const 2100)))
    (i32.store (i32.const 1028) (i32.load (i32.const 2100)))
    (call $io (i32.const 1000) (i32.const 36))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
