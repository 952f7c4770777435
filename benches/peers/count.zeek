# How many requests and answers there are, and how many of each name which mode; as JSON. For
# `zeek -b -C count.zeek -r FILE`.

@load base/protocols/http/main.zeek

redef likely_server_ports += { 9000/tcp };

global requests = 0;
global responses = 0;
global asked: table[string] of count &default=0;
global applied: table[string] of count &default=0;

event zeek_init()
	{
	Log::disable_stream(HTTP::LOG);
	Analyzer::register_for_ports(Analyzer::ANALYZER_HTTP, set(9000/tcp));
	}

event http_request(c: connection, method: string, original_URI: string, unescaped_URI: string, version: string)
	{
	++requests;
	}

event http_reply(c: connection, version: string, code: count, reason: string)
	{
	if ( code >= 200 )
		++responses;
	}

event http_header(c: connection, is_orig: bool, original_name: string, name: string, value: string)
	{
	if ( name != "X-AMZ-SERVER-SIDE-ENCRYPTION" )
		return;
	if ( is_orig )
		++asked[value];
	else
		++applied[value];
	}

event zeek_done()
	{
	print fmt("{\"requests\":%d,\"responses\":%d,\"asked\":%s,\"applied\":%s}",
		requests, responses, to_json(asked), to_json(applied));
	}
