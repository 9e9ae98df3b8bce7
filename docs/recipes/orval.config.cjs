// The configuration of orval: a client of the contract for generators, with a transport that leaves streams open.
module.exports = {
  wireloom: {
    input: "./openapi-3.1.json",
    output: {
      target: "./wireloom.ts",
      client: "fetch",
      override: { mutator: { path: "./fetcher.ts", name: "fetcher" } },
    },
  },
};
