;; POSTs "hi" to the URL in credential "hook"; fails with "send failed" unless the status is 200.
(module
  (import "boathook:hook/http@0.1.0" "send"
    (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 8) "\40\00\00\00\04\00\00\00\01")
  (data (i32.const 64) "sent")
  (data (i32.const 80) "send failed")
  (data (i32.const 128) "POSThihookurl")
  (data (i32.const 160) "\86\00\00\00\04\00\00\00\8a\00\00\00\03\00\00\00")   ;; credential {hook, url}
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (call $send
      (i32.const 128) (i32.const 4)                   ;; POST
      (i32.const 0) (i32.const 0)                     ;; the URL is a credential
      (i32.const 0) (i32.const 0)                     ;; no headers
      (i32.const 1) (i32.const 132) (i32.const 2)     ;; "hi"
      (i32.const 0) (i64.const 0)                     ;; no timeout
      (i32.const 160) (i32.const 1)
      (i32.const 512))
    (if (i32.or (i32.load8_u (i32.const 512)) (i32.ne (i32.load16_u (i32.const 520)) (i32.const 200)))
      (then
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store8 (i32.const 8) (i32.const 2))
        (i32.store (i32.const 16) (i32.const 80))
        (i32.store (i32.const 20) (i32.const 11))))
    i32.const 0)
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -8))))
    (local.get $at)))
