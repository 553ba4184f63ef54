// A Worker that asks D1 what a test wants to know: POST { sql, values }, answered with the rows.
export default {
  async fetch(request, { D1 }) {
    const { sql, values } = await request.json();
    try {
      return Response.json((await D1.prepare(sql).bind(...values).all()).results);
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
