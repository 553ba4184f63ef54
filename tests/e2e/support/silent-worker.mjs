// A Worker in the place of another one: it throws, fails, says nonsense, or never answers, as its variable BEHAVIOUR says.
export default {
  async fetch(request, env) {
    switch (env.BEHAVIOUR) {
      case "throws":
        throw new Error("broken on purpose");
      case "nonsense":
        return new Response("<html>", { status: 200 });
      case "fails":
        return new Response("<html>", { status: 500, headers: { "content-type": "text/html" } });
      case "never":
        // A timer keeps the request alive, or the runtime would end it as one that can never answer.
        return new Promise((resolve) => setTimeout(() => resolve(new Response("late")), 120_000));
      default:
        return new Response(`nobody told how to behave: ${request.url}`, { status: 500 });
    }
  },
};
