"""`wireloom check`: hold a deployment to the contract, and find the answers that contradict themselves.

```
command  ->  run  ->  cases/   the requests, one function a case
                  ->  fuzz     valid requests made from the contract (extra `check`)
             cases/  ->  probe  ->  deployment   the only HTTP client
                     ->  rules/      answers in, sentences out: pure, one module a subject
```
"""
